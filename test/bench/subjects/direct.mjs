// The upstream behind every subject. Started once more as a subject of its own, it shows what the bare server costs.
import http from 'node:http';

const small = Buffer.from(JSON.stringify({ data: 'x'.repeat(1024 - '{"data":""}'.length) }));
const large = Buffer.alloc(100 * 1024, 'x');

const headersOf = (type, body) => ['Content-Type', type, 'Content-Length', String(body.length)];
const smallHeaders = headersOf('application/json', small);
const largeHeaders = headersOf('application/octet-stream', large);

const answerSmall = (res) => res.writeHead(200, smallHeaders).end(small);

const server = http.createServer((req, res) => {
  const query = req.url.indexOf('?');
  const path = query === -1 ? req.url : req.url.slice(0, query);
  if (path.endsWith('/small')) {
    answerSmall(res);
  } else if (path.endsWith('/large')) {
    res.writeHead(200, largeHeaders).end(large);
  } else if (path.endsWith('/echo')) {
    req.on('end', () => answerSmall(res)).resume();
  } else {
    res.writeHead(404).end();
  }
});

// Never the first to close: what is measured is forwarding, not reconnecting.
server.keepAliveTimeout = 0;
server.listen({ port: Number(process.env.PORT), host: '127.0.0.1', backlog: 4096 });
