import http from 'node:http';
import express from 'express';
import { createProxyMiddleware } from 'http-proxy-middleware';

const app = express();
app.use(
  createProxyMiddleware({
    target: process.env.UPSTREAM,
    agent: new http.Agent({ keepAlive: true, maxFreeSockets: 1024 }),
  }),
);
http.createServer(app).listen({ port: Number(process.env.PORT), host: '127.0.0.1', backlog: 4096 });
