import type { IncomingMessage, ServerResponse } from 'node:http';
import type { UpstreamHandler } from './upstream.js';

type Endpoint = (req: IncomingMessage, res: ServerResponse, query: URLSearchParams, rest: string) => void;

/**
 * The endpoints of a test upstream, under `/api/v1` or at the root. Everything else is answered with an echo: the
 * request as JSON, once its body has arrived.
 */
const ENDPOINTS: Readonly<Record<string, Endpoint>> = {
  /** Events `data: 0` to `data: count-1`, one every `ms`; then the end. */
  sse(_req, res, query) {
    const count = Number(query.get('count') ?? 3);
    const period = Number(query.get('ms') ?? 20);
    res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
    res.flushHeaders();
    let sent = 0;
    const timer = setInterval(() => {
      res.write(`data: ${sent}\n\n`);
      sent += 1;
      if (sent >= count) {
        clearInterval(timer);
        res.end();
      }
    }, period);
    res.on('close', () => clearInterval(timer));
  },

  /** `bytes` bytes of body; with a length, or chunked with `chunked=1`. */
  large(_req, res, query) {
    const bytes = Number(query.get('bytes') ?? 1024);
    if (query.get('chunked') === null) res.setHeader('content-length', bytes);
    res.setHeader('content-type', 'application/octet-stream');
    const block = Buffer.alloc(64 * 1024, 0x61);
    let left = bytes;
    const pump = () => {
      while (left > 0) {
        const part = left >= block.length ? block : block.subarray(0, left);
        left -= part.length;
        if (!res.write(part)) {
          res.once('drain', pump);
          return;
        }
      }
      res.end();
    };
    pump();
  },

  /** Answers after `ms` milliseconds. */
  slow(req, res, query) {
    req.resume();
    const timer = setTimeout(() => res.end('late'), Number(query.get('ms') ?? 60_000));
    res.on('close', () => clearTimeout(timer));
  },

  /** The head and the first `bytes` bytes at once, the rest after `ms` milliseconds. */
  stall(_req, res, query) {
    const timer = setTimeout(() => res.end('late'), Number(query.get('ms') ?? 60_000));
    res.on('close', () => clearTimeout(timer));
    res.write('x'.repeat(Number(query.get('bytes') ?? 10)));
  },

  /** Answers with the status that the path names, and a small body. */
  status(req, res, _query, rest) {
    req.resume();
    res.writeHead(Number(rest) || 500, { 'content-type': 'text/plain' });
    res.end(`status ${rest}`);
  },

  /** Breaks the connection off in the body; declared by length, or chunked with `chunked=1`. */
  break(_req, res, query) {
    if (query.get('chunked') === null) res.setHeader('content-length', 1000);
    res.write('x'.repeat(100), () => setImmediate(() => res.socket?.resetAndDestroy()));
  },

  /** Several `Set-Cookie` fields. */
  cookies(_req, res) {
    res.writeHead(200, [
      ['Set-Cookie', 'a=1; Path=/'],
      ['Set-Cookie', 'b=2; Expires=Wed, 21 Oct 2015 07:28:00 GMT'],
      ['Set-Cookie', 'c=3'],
    ]);
    res.end('cookies');
  },

  /** A chunked body with a trailer field. */
  trailers(_req, res) {
    res.writeHead(200, { trailer: 'x-checksum', 'content-type': 'text/plain' });
    res.write('body');
    res.addTrailers({ 'x-checksum': 'abc' });
    res.end();
  },

  /** 103 Early Hints (RFC 8297), then 200. */
  'early-hints'(_req, res) {
    res.writeEarlyHints({ link: '</style.css>; rel=preload' }, () => {
      res.writeHead(200, { 'content-type': 'text/plain' });
      res.end('hinted');
    });
  },

  'no-content'(_req, res) {
    res.writeHead(204, { 'x-kind': 'empty' });
    res.end();
  },

  'not-modified'(_req, res) {
    res.writeHead(304, { etag: '"v1"' });
    res.end();
  },

  /** Three chunks. */
  chunked(_req, res) {
    res.writeHead(200, { 'content-type': 'text/plain' });
    res.write('one,');
    res.write('two,');
    res.end('three');
  },

  /** A length of 0. */
  empty(_req, res) {
    res.writeHead(200, { 'content-length': '0' });
    res.end();
  },

  /** Hop-by-hop fields, and one that `Connection` names. */
  'hop-by-hop'(_req, res) {
    res.writeHead(200, [
      ['Connection', 'x-secret-hop'],
      ['X-Secret-Hop', '1'],
      ['Keep-Alive', 'timeout=77'],
      ['Proxy-Connection', 'keep-alive'],
      ['Proxy-Authenticate', 'Basic'],
      ['X-End-To-End', 'kept'],
      ['Content-Length', '2'],
    ]);
    res.end('ok');
  },

  /** Takes the request body in only when the test reads it: never resumes. */
  deaf() {},
};

/** Answers with one of the canned endpoints, or with an echo. */
export const cannedEndpoints: UpstreamHandler = (req, res) => {
  const target = req.url ?? '/';
  const mark = target.indexOf('?');
  const path = (mark === -1 ? target : target.slice(0, mark)).replace(/^\/api\/v1(?=\/|$)/, '');
  const query = new URLSearchParams(mark === -1 ? '' : target.slice(mark + 1));
  const [, name = '', rest = ''] = path.split('/');
  const endpoint = Object.hasOwn(ENDPOINTS, name) ? ENDPOINTS[name] : undefined;
  if (endpoint !== undefined) {
    if (name === 'deaf') req.pause();
    endpoint(req, res, query, rest);
    return;
  }
  req.on('end', () => {
    const body = JSON.stringify({ method: req.method, url: req.url, rawHeaders: req.rawHeaders });
    res.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
    res.end(body);
  });
};
