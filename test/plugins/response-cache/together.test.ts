import { get, type IncomingHttpHeaders } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { brotliDecompressSync } from 'node:zlib';
import { expect } from 'chai';
import compress from '../../../plugins/compress/index.js';
import cors from '../../../plugins/cors/index.js';
import responseCache from '../../../plugins/response-cache/index.js';
import { createAuthority } from '../../support/certificates.js';
import { service, startGateway } from '../../support/gateway.js';
import { fetchHttp2 } from '../../support/tls-client.js';
import { startUpstream } from '../../support/upstream.js';
import { Script } from './exchange-script.js';
import { runCache } from './kit.js';
import { middleware } from './small-plugins.js';

const text = 'hello '.repeat(1000);
const reply = {
  headers: { 'Cache-Control': 'max-age=60', 'Content-Type': 'text/plain', ETag: '"1"' },
  body: text,
};

/** A response as it came, still encoded. */
function raw(
  url: string,
  headers: Record<string, string>,
): Promise<{ headers: IncomingHttpHeaders; body: Buffer }> {
  return new Promise((resolve, reject) => {
    get(url, { headers, agent: false }, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.on('end', () => resolve({ headers: res.headers, body: Buffer.concat(chunks) }));
    }).on('error', reject);
  });
}

describe('response-cache: together with others', () => {
  it('compress outside: one body as it is, from the upstream once, encoded for each client', async () => {
    const kit = await runCache(reply, {}, { before: [{ definition: compress }] });
    const rows = [
      ['br', 'MISS'],
      ['br', 'HIT'],
      ['gzip', 'HIT'],
      ['identity', 'HIT'],
      ['br', 'HIT'],
    ] as const;
    for (const [encoding, cache] of rows) {
      const answer = await raw(`${kit.url}/api/v1/demo/a`, { 'accept-encoding': encoding });
      expect(answer.headers['x-cache-status']).to.equal(cache);
      expect(answer.headers['content-encoding'] ?? 'identity').to.equal(encoding);
      if (encoding === 'br') expect(brotliDecompressSync(answer.body).toString()).to.equal(text);
    }
    expect(kit.asked()).to.equal(1);
    expect(kit.upstream.requests[0]?.rawHeaders.join()).to.match(/accept-encoding,identity/i);
  });

  it('cors outside: its fields are those of each request, on hits too', async () => {
    const { agent } = await runCache(
      reply,
      {},
      { before: [{ definition: cors, options: { origins: ['*'] } }] },
    );
    await agent.get('/api/v1/demo/a').expect('X-Cache-Status', 'MISS');
    const { headers } = await agent.get('/api/v1/demo/a').set('Origin', 'http://a.example');
    expect(headers).to.include({ 'x-cache-status': 'HIT', 'access-control-allow-origin': '*' });
  });

  it('what plugins outside set is not stored, and what they hid of the upstream is', async () => {
    let value: string | undefined = 'outside';
    const outside = middleware('outside', (ctx, next) => {
      if (value !== undefined) ctx.set({ 'X-Both': value, 'X-Outside': value });
      return next();
    });
    const headers = { 'Cache-Control': 'max-age=60', 'X-Both': 'upstream' };
    const script = await Script.open({}, { before: [{ definition: outside }] });
    script.origin({ headers });
    expect((await script.get('/a')).headers).to.include({ 'x-both': 'outside' });
    value = undefined;
    const visit = await script.get('/a');
    expect(visit.cache).to.equal('HIT');
    expect(visit.headers).to.include({ 'x-both': 'upstream' });
    expect(visit.headers).not.to.have.property('x-outside');
  });

  it('what plugins inside set is stored; an answer of their own is not', async () => {
    const inside = middleware('inside', async (ctx, next) => {
      await next();
      ctx.set('X-Inside', 'yes');
      if (ctx.path.endsWith('/own')) ctx.body = 'own';
    });
    const script = await Script.open({}, { after: [{ definition: inside }] });
    script.origin(reply);
    await script.get('/a');
    const visit = await script.get('/a');
    expect(visit.cache).to.equal('HIT');
    expect(visit.headers).to.include({ 'x-inside': 'yes' });
    for (let i = 0; i < 2; i++) expect(await script.get('/own')).to.include({ cache: 'MISS', text: 'own' });
  });

  it('HTTP/2: misses, hits, parts, revalidation and stale answers', async () => {
    const authority = await createAuthority();
    const certificate = await authority.issue('gateway', ['localhost']);
    let status = 200;
    const upstream = await startUpstream((req, res) => {
      const isKnown = req.headers['if-none-match'] !== undefined;
      res.writeHead(isKnown && status === 200 ? 304 : status, {
        'Cache-Control': req.url?.endsWith('stale') ? 'no-cache, max-age=60' : 'max-age=60',
        ETag: '"1"',
      });
      res.end('0123456789');
    });
    const gateway = await startGateway(
      {
        services: { a: service(upstream.url, { retries: { attempts: 1 } }) },
        tls: certificate,
        plugins: ['response-cache'],
      },
      { catalogue: { 'response-cache': async () => ({ default: responseCache }) } },
    );
    const session = connectHttp2(`https://localhost:${gateway.port}`, {
      ca: await authority.read(authority.cert),
    });
    try {
      const ask = (path: string, fields = {}) =>
        fetchHttp2(session, { ':path': `/api/v1/a/${path}`, ...fields });
      const rows = [
        ['x', {}, 200, 'MISS', '0123456789'],
        ['x', {}, 200, 'HIT', '0123456789'],
        ['x', { range: 'bytes=2-3' }, 206, 'HIT', '23'],
        ['x', { 'if-none-match': '"1"' }, 304, 'HIT', ''],
        ['stale', {}, 200, 'MISS', '0123456789'],
        ['stale', {}, 200, 'REVALIDATED', '0123456789'],
      ] as const;
      for (const [path, fields, expected, cache, body] of rows) {
        const answer = await ask(path, fields);
        expect(answer.headers[':status']).to.equal(expected);
        expect(answer.headers['x-cache-status']).to.equal(cache);
        expect(answer.headers['cache-status']).to.match(/^gateway; /);
        expect(answer.body).to.equal(body);
      }
      status = 503;
      const failed = await ask('other');
      expect(failed.headers[':status']).to.equal(503);
      const head = await fetchHttp2(session, { ':path': '/api/v1/a/x', ':method': 'HEAD' });
      expect(head.headers).to.include({ 'content-length': '10', 'x-cache-status': 'HIT' });
    } finally {
      session.destroy();
      await gateway.stop();
      await upstream.close();
      await authority.discard();
    }
  });
});
