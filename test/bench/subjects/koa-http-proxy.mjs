import http from 'node:http';
import httpProxy from 'http-proxy';
import Koa from 'koa';

const proxy = httpProxy.createProxyServer({
  target: process.env.UPSTREAM,
  agent: new http.Agent({ keepAlive: true, maxFreeSockets: 1024 }),
});

const app = new Koa();
app.use((ctx) => {
  ctx.respond = false;
  proxy.web(ctx.req, ctx.res, undefined, () => ctx.res.writeHead(502).end());
});
app.listen({ port: Number(process.env.PORT), host: '127.0.0.1', backlog: 4096 });
