// The simplest pass-through that a competent engineer writes on Node.js: `http` in front, an undici pool behind,
// raw headers and chunks handed on as they come. Every ratio in the benchmark is to the cost of this.
import http from 'node:http';
import { Pool } from 'undici';

const CONNECTION_SPECIFIC = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

const pool = new Pool(process.env.UPSTREAM);

/** undici's raw handler interface: the one without a parsed headers object. */
class PassThrough {
  constructor(res) {
    this.res = res;
  }

  onConnect(abort) {
    this.res.on('close', abort);
  }

  onHeaders(status, rawHeaders, resume, statusText) {
    const headers = [];
    for (let i = 0; i < rawHeaders.length; i += 2) {
      const name = rawHeaders[i].latin1Slice();
      if (!CONNECTION_SPECIFIC.has(name.toLowerCase())) headers.push(name, rawHeaders[i + 1].latin1Slice());
    }
    this.res.on('drain', resume);
    this.res.writeHead(status, statusText, headers);
    return true;
  }

  onData(chunk) {
    return this.res.write(chunk);
  }

  onComplete() {
    this.res.end();
  }

  onError() {
    if (this.res.headersSent) this.res.destroy();
    else this.res.writeHead(502).end();
  }
}

const server = http.createServer((req, res) => {
  const headers = [];
  for (let i = 0; i < req.rawHeaders.length; i += 2) {
    const name = req.rawHeaders[i].toLowerCase();
    if (name !== 'host' && !CONNECTION_SPECIFIC.has(name))
      headers.push(req.rawHeaders[i], req.rawHeaders[i + 1]);
  }
  const body = req.method === 'GET' || req.method === 'HEAD' ? null : req;
  pool.dispatch({ path: req.url, method: req.method, headers, body }, new PassThrough(res));
});

server.listen({ port: Number(process.env.PORT), host: '127.0.0.1', backlog: 4096 });
