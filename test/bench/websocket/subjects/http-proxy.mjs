import http from 'node:http';
import httpProxy from 'http-proxy';

const proxy = httpProxy.createProxyServer({ target: process.env.UPSTREAM });
proxy.on('error', (_error, _req, socket) => socket.destroy());
const server = http.createServer((_req, res) => res.end('ok'));
server.on('upgrade', (req, socket, head) => {
  socket.on('error', () => socket.destroy());
  proxy.ws(req, socket, head);
});
server.keepAliveTimeout = 0;
server.listen({ port: Number(process.env.PORT), host: '127.0.0.1', backlog: 4096 });
