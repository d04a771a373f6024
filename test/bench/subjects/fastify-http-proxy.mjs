import proxy from '@fastify/http-proxy';
import Fastify from 'fastify';

const prefix = '/api/v1/bench';
const app = Fastify();
await app.register(proxy, { upstream: process.env.UPSTREAM, prefix, rewritePrefix: prefix });
await app.listen({ port: Number(process.env.PORT), host: '127.0.0.1', backlog: 4096 });
