import type { IncomingMessage, ServerResponse } from 'node:http';
import http from 'node:http';
import zlib from 'node:zlib';
import { expect } from 'chai';
import fc from 'fast-check';
import { Type } from 'typebox';
import {
  definePlugin,
  type EndpointRouter,
  type GatewayContext,
  type GatewayPlugin,
} from '../../core/index.js';
import { SUPPORTED_CODINGS } from '../../plugins/compress/codings.js';
import compress from '../../plugins/compress/index.js';
import { Negotiation } from '../../plugins/compress/negotiation.js';
import { runPlugin } from '../support/plugin-kit.js';

const TEXT = JSON.stringify(
  Array.from({ length: 200 }, (_, index) => ({ symbol: `S${index}`, price: index })),
);
const DECODE: Readonly<Record<string, (body: Buffer) => Buffer>> = {
  gzip: zlib.gunzipSync,
  deflate: zlib.inflateSync,
  br: zlib.brotliDecompressSync,
  identity: (body) => body,
};
const ENCODE = { gzip: zlib.gzipSync, deflate: zlib.deflateSync, br: zlib.brotliCompressSync };

interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
  readonly broken: boolean;
}

/** A client that leaves codings alone, as supertest does not. */
function ask(url: string, headers: http.OutgoingHttpHeaders = {}, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { headers, method, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', () => undefined);
      response.on('close', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks),
          broken: !response.complete,
        }),
      );
    });
    request.on('error', reject).end();
  });
}

function answering(headers: http.OutgoingHttpHeaders, body: string | Buffer = TEXT, status = 200) {
  return (_req: IncomingMessage, res: ServerResponse) => {
    res.writeHead(status, { 'content-type': 'application/json', ...headers });
    res.end(body);
  };
}

/** Stands behind compress, as response-cache does, and answers with the same bytes again and again. */
function keeping(body: Buffer) {
  class Keeping implements GatewayPlugin {
    middleware() {
      return async (ctx: GatewayContext) => {
        ctx.status = 200;
        ctx.type = 'application/json';
        ctx.body = body;
      };
    }
  }
  return definePlugin({ name: 'keeping', summary: 'Keeps.', options: Type.Object({}), plugin: Keeping });
}

describe('compress', () => {
  for (const coding of ['br', 'gzip', 'deflate'] as const) {
    it(`compresses with ${coding} for a client that asks for it`, async () => {
      const { url } = await runPlugin(compress, {}, { upstream: answering({ etag: '"v1"' }) });
      const { headers, body } = await ask(`${url}/api/v1/demo/x`, { 'accept-encoding': coding });
      expect(headers['content-encoding']).to.equal(coding);
      expect(headers.vary).to.equal('Accept-Encoding');
      expect(headers.etag).to.equal('W/"v1"');
      expect(body.length).to.be.below(TEXT.length / 2);
      expect(DECODE[coding]?.(body).toString()).to.equal(TEXT);
    });
  }

  const choices: readonly (readonly [string | undefined, string | undefined])[] = [
    [undefined, undefined],
    ['', undefined],
    ['identity', undefined],
    ['br;q=0', undefined],
    ['gzip, br', 'br'],
    ['gzip, deflate', 'gzip'],
    ['gzip;q=1.0, br;q=0.5', 'gzip'],
    ['gzip;q=0, deflate', 'deflate'],
    ['*', SUPPORTED_CODINGS[0]],
    ['*;q=0, gzip', 'gzip'],
    ['identity;q=1, gzip;q=0.5', undefined],
    ['GZIP', 'gzip'],
    ['compress, sdch', undefined],
    [';;;,,=', undefined],
  ];
  for (const [accept, expected] of choices) {
    it(`answers Accept-Encoding ${JSON.stringify(accept)} with ${expected ?? 'the body as it is'}`, async () => {
      const { url } = await runPlugin(compress, {}, { upstream: answering({}) });
      const { headers, body } = await ask(
        `${url}/api/v1/demo/x`,
        accept === undefined ? {} : { 'accept-encoding': accept },
      );
      expect(headers['content-encoding']).to.equal(expected);
      expect(headers.vary).to.equal('Accept-Encoding');
      if (expected === undefined) expect(body.toString()).to.equal(TEXT);
    });
  }

  const leftAlone: Readonly<Record<string, readonly [http.OutgoingHttpHeaders, number?]>> = {
    events: [{ 'content-type': 'text/event-stream' }],
    gRPC: [{ 'content-type': 'application/grpc+json' }],
    'an image': [{ 'content-type': 'image/png' }],
    'a body without a type': [{ 'content-type': '' }],
    'what must not be transformed': [{ 'cache-control': 'public, No-Transform' }],
    'a part': [{ 'content-range': 'bytes 0-9/10' }, 206],
    'a coding that it does not know': [{ 'content-encoding': 'x-own' }],
  };
  for (const [what, [headers, status]] of Object.entries(leftAlone)) {
    it(`leaves ${what} alone`, async () => {
      const { url } = await runPlugin(
        compress,
        {},
        { upstream: answering({ etag: '"v1"', ...headers }, TEXT, status) },
      );
      const answer = await ask(`${url}/api/v1/demo/x`, { 'accept-encoding': 'gzip' });
      expect(answer.headers['content-encoding']).to.equal(headers['content-encoding']);
      expect(answer.headers.etag).to.equal('"v1"');
      expect(answer.body.toString()).to.equal(TEXT);
    });
  }

  it('leaves alone what a client wants as it is (RFC 9111 section 5.2.1.6)', async () => {
    const { url } = await runPlugin(compress, {}, { upstream: answering({}) });
    const asked = async (control: string) => {
      const fields = { 'accept-encoding': 'gzip', 'cache-control': control };
      return (await ask(`${url}/api/v1/demo/x`, fields)).headers['content-encoding'];
    };
    expect(await asked('max-age=0, no-transform')).to.equal(undefined);
    expect(await asked('max-age=0')).to.equal('gzip');
  });

  it('leaves responses without a body alone', async () => {
    const { url } = await runPlugin(compress, {}, { upstream: answering({ 'content-length': TEXT.length }) });
    const head = await ask(`${url}/api/v1/demo/x`, { 'accept-encoding': 'gzip' }, 'HEAD');
    expect(head.headers['content-encoding']).to.equal(undefined);
    const { url: other } = await runPlugin(compress, {}, { upstream: answering({}, '', 304) });
    const unchanged = await ask(`${other}/api/v1/demo/x`, { 'accept-encoding': 'gzip' });
    expect([unchanged.status, unchanged.headers['content-encoding']]).to.deep.equal([304, undefined]);
  });

  it('answers a client that has the compressed form with a 304 for that form', async () => {
    const { url } = await runPlugin(compress, {}, { upstream: answering({ etag: '"v1"' }, '', 304) });
    const asked = (tag: string) =>
      ask(`${url}/api/v1/demo/x`, { 'accept-encoding': 'gzip', 'if-none-match': tag });
    const { headers: coded } = await asked('"v0", W/"v1"');
    expect([coded.etag, coded.vary]).to.deep.equal(['W/"v1"', 'Accept-Encoding']);
    const { headers: plain } = await asked('"v1"');
    expect([plain.etag, plain.vary]).to.deep.equal(['"v1"', undefined]);
  });

  it('leaves small bodies alone, by their length', async () => {
    const { url } = await runPlugin(
      compress,
      { threshold: '10b' },
      { upstream: answering({ 'content-length': 9 }, '"1234567"') },
    );
    const answer = await ask(`${url}/api/v1/demo/x`, { 'accept-encoding': 'gzip' });
    expect(answer.headers['content-encoding']).to.equal(undefined);
  });

  it('takes further types, exact ones and whole kinds', async () => {
    const upstream = (req: IncomingMessage, res: ServerResponse) => {
      res.writeHead(200, {
        'content-type': req.url?.endsWith('kind') ? 'model/gltf-binary' : 'application/x-own',
      });
      res.end(TEXT);
    };
    const { url } = await runPlugin(compress, { types: ['model/*', 'application/x-own'] }, { upstream });
    for (const path of ['kind', 'exact']) {
      const answer = await ask(`${url}/api/v1/demo/${path}`, { 'accept-encoding': 'gzip' });
      expect(answer.headers['content-encoding'], path).to.equal('gzip');
    }
  });

  it('takes fields away that speak of the bytes as they were', async () => {
    const upstream = answering({
      'content-digest': 'sha-256=:x:',
      'accept-ranges': 'bytes',
      'content-md5': 'x',
    });
    const { url } = await runPlugin(compress, {}, { upstream });
    const { headers } = await ask(`${url}/api/v1/demo/x`, { 'accept-encoding': 'br' });
    expect(headers).to.not.have.any.keys('content-digest', 'accept-ranges', 'content-md5', 'content-length');
  });

  it('keeps what the upstream says in Vary', async () => {
    const { url } = await runPlugin(compress, {}, { upstream: answering({ vary: 'Origin' }) });
    const { headers } = await ask(`${url}/api/v1/demo/x`, { 'accept-encoding': 'br' });
    expect(headers.vary).to.equal('Origin, Accept-Encoding');
  });

  it('sends each chunk of a stream on at once', async () => {
    let finish = () => {};
    const upstream = (_req: IncomingMessage, res: ServerResponse) => {
      res.writeHead(200, { 'content-type': 'text/plain' });
      res.write('first line\n');
      finish = () => res.end('last line\n');
    };
    for (const coding of ['gzip', 'br', 'deflate']) {
      const { url } = await runPlugin(compress, {}, { upstream });
      const decoder = {
        gzip: zlib.createGunzip(),
        br: zlib.createBrotliDecompress(),
        deflate: zlib.createInflate(),
      }[coding];
      if (decoder === undefined) throw new Error(coding);
      const request = http.get(`${url}/api/v1/demo/x`, {
        headers: { 'accept-encoding': coding },
        agent: false,
      });
      const texts: string[] = [];
      await new Promise<void>((resolve, reject) => {
        request.on('error', reject).on('response', (response) => response.pipe(decoder));
        decoder.on('data', (chunk: Buffer) => {
          texts.push(chunk.toString());
          // The upstream ends only once the first line has been read at the other end.
          if (texts.length === 1) finish();
        });
        decoder.on('end', resolve).on('error', reject);
      });
      expect(texts.join(''), coding).to.equal('first line\nlast line\n');
      expect(texts[0], coding).to.equal('first line\n');
    }
  });

  it('compresses what comes again and again once only', async () => {
    const body = Buffer.from(TEXT);
    const { url } = await runPlugin(compress, {}, { after: [{ definition: keeping(body) }] });
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => ask(`${url}/api/v1/demo/x`, { 'accept-encoding': 'br' })),
    );
    for (const { headers, body: bytes } of answers) {
      expect(headers['content-length']).to.equal(String(bytes.length));
      expect(zlib.brotliDecompressSync(bytes).toString()).to.equal(TEXT);
    }
    const plain = await ask(`${url}/api/v1/demo/x`);
    expect(plain.body.equals(body)).to.equal(true);
  });

  it('does not send a form that is larger than the body', async () => {
    const noise = Buffer.from(Array.from({ length: 2000 }, (_, index) => (index * 7919 * index) % 256));
    const { url } = await runPlugin(compress, {}, { after: [{ definition: keeping(noise) }] });
    for (let i = 0; i < 2; i++) {
      const { headers, body } = await ask(`${url}/api/v1/demo/x`, { 'accept-encoding': 'deflate' });
      const expected = zlib.deflateSync(noise).length < noise.length ? 'deflate' : undefined;
      expect(headers['content-encoding']).to.equal(expected);
      expect(DECODE[expected ?? 'identity']?.(body).equals(noise)).to.equal(true);
    }
  });

  it('compresses what plugins answer at endpoints of their own', async () => {
    class Reporting implements GatewayPlugin {
      endpoints(router: EndpointRouter) {
        router.get('/text', (ctx) => {
          ctx.body = TEXT;
        });
        router.get('/json', (ctx) => {
          ctx.body = JSON.parse(TEXT);
        });
        router.get('/short', (ctx) => {
          ctx.body = { short: true };
        });
      }
    }
    const options = Type.Object({});
    const reporting = definePlugin({ name: 'reporting', summary: 'Reports.', options, plugin: Reporting });
    const { url } = await runPlugin(compress, {}, { after: [{ definition: reporting }] });
    for (const path of ['text', 'json']) {
      const { headers, body } = await ask(`${url}/${path}`, { 'accept-encoding': 'gzip' });
      expect(headers['content-encoding'], path).to.equal('gzip');
      expect(zlib.gunzipSync(body).toString(), path).to.equal(TEXT);
    }
    const { headers, body } = await ask(`${url}/short`, { 'accept-encoding': 'gzip' });
    expect([headers['content-encoding'], body.toString()]).to.deep.equal([undefined, '{"short":true}']);
  });

  it('can be switched off for a service', async () => {
    const { url } = await runPlugin(
      compress,
      {},
      { upstream: answering({}), service: { plugins: { compress: false } } },
    );
    const { headers } = await ask(`${url}/api/v1/demo/x`, { 'accept-encoding': 'gzip' });
    expect(headers['content-encoding']).to.equal(undefined);
  });

  it('passes any body of any length whole, whatever the coding', async () => {
    let body = Buffer.alloc(0);
    const upstream = (_req: IncomingMessage, res: ServerResponse) => {
      res.writeHead(200, { 'content-type': 'text/plain' });
      for (let at = 0; at < body.length; at += 1000) res.write(body.subarray(at, at + 1000));
      res.end();
    };
    const { url } = await runPlugin(compress, {}, { upstream });
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 5000 }),
        fc.constantFrom('br', 'gzip', 'deflate', 'identity'),
        async (bytes, coding) => {
          body = Buffer.from(bytes);
          const answer = await ask(`${url}/api/v1/demo/x`, { 'accept-encoding': coding });
          expect(
            DECODE[answer.headers['content-encoding'] ?? 'identity']?.(answer.body).equals(body),
          ).to.equal(true);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('ends no body cleanly that the upstream breaks off', async () => {
    const upstream = (_req: IncomingMessage, res: ServerResponse) => {
      res.writeHead(200, { 'content-type': 'text/plain' });
      res.write('half');
      setImmediate(() => res.destroy());
    };
    const { url } = await runPlugin(compress, {}, { upstream });
    const answer = await ask(`${url}/api/v1/demo/x`, { 'accept-encoding': 'gzip' });
    // Where the head had not gone out yet, there is a status for it.
    expect(answer.broken || answer.status === 502).to.equal(true);
  });

  it('refuses a coding that does not exist, by its path', async () => {
    const error = await runPlugin(compress, { codings: ['lzma'] }).catch((thrown: unknown) => thrown);
    expect(String(error)).to.match(/codings\[0\]/);
  });
});

describe('compress, of bodies that the service compressed', () => {
  for (const coding of ['br', 'gzip', 'deflate'] as const) {
    const compressed = ENCODE[coding](TEXT);

    it(`passes ${coding} untouched to a client that can take it`, async () => {
      const { url } = await runPlugin(
        compress,
        {},
        { upstream: answering({ 'content-encoding': coding, etag: '"v1"' }, compressed) },
      );
      const { headers, body } = await ask(`${url}/api/v1/demo/x`, { 'accept-encoding': 'gzip, deflate, br' });
      expect([headers['content-encoding'], headers.etag]).to.deep.equal([coding, '"v1"']);
      expect(headers.vary).to.equal('Accept-Encoding');
      expect(body.equals(compressed)).to.equal(true);
    });

    it(`takes ${coding} off for a client that cannot`, async () => {
      const { url } = await runPlugin(
        compress,
        {},
        { upstream: answering({ 'content-encoding': coding, etag: '"v1"' }, compressed) },
      );
      for (const accept of ['identity', `${coding};q=0`, undefined]) {
        const asked = accept === undefined ? {} : { 'accept-encoding': accept };
        const { headers, body } = await ask(`${url}/api/v1/demo/x`, asked);
        expect([headers['content-encoding'], headers.etag, headers.vary]).to.deep.equal([
          undefined,
          'W/"v1"',
          'Accept-Encoding',
        ]);
        expect(body.toString()).to.equal(TEXT);
      }
    });
  }

  it('leaves them alone when it is told so', async () => {
    const compressed = zlib.gzipSync(TEXT);
    const { url } = await runPlugin(
      compress,
      { decompress: false },
      { upstream: answering({ 'content-encoding': 'gzip' }, compressed) },
    );
    const { headers } = await ask(`${url}/api/v1/demo/x`, { 'accept-encoding': 'identity' });
    expect(headers['content-encoding']).to.equal('gzip');
    expect(headers.vary).to.equal(undefined);
  });

  for (const coding of ['br', 'gzip', 'deflate'] as const) {
    it(`takes an empty body for an empty one, although it says ${coding}`, async () => {
      for (const length of [{ 'content-length': 0 }, { 'transfer-encoding': 'chunked' }]) {
        const upstream = answering({ 'content-encoding': coding, ...length }, '');
        const { url } = await runPlugin(compress, {}, { upstream });
        const { status, headers, body, broken } = await ask(`${url}/api/v1/demo/x`);
        expect([status, headers['content-encoding'], body.length, broken]).to.deep.equal([
          200,
          undefined,
          0,
          false,
        ]);
      }
    });
  }

  it('blames the service for a coding that is damaged from the start', async () => {
    const { url, logLines } = await runPlugin(
      compress,
      {},
      { upstream: answering({ 'content-encoding': 'gzip' }, 'this is no gzip') },
    );
    const { status, body } = await ask(`${url}/api/v1/demo/x`);
    expect([status, JSON.parse(body.toString()).code]).to.deep.equal([502, 'BAD_GATEWAY']);
    expect(logLines.join('')).to.not.include('"level":"ERROR"');
  });

  it('breaks off where the coding is damaged, and goes on with the next request', async () => {
    const damaged = zlib.gzipSync(TEXT).fill(0xff, 30);
    let body = damaged;
    const upstream = (_req: IncomingMessage, res: ServerResponse) => {
      res.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' });
      res.end(body);
    };
    const { url } = await runPlugin(compress, {}, { upstream });
    const answer = await ask(`${url}/api/v1/demo/x`).catch(() => undefined);
    expect(answer === undefined || answer.broken || answer.status === 502 || answer.status === 500).to.equal(
      true,
    );
    expect(answer?.body.toString() ?? '').to.not.equal(TEXT);
    body = zlib.gzipSync(TEXT);
    expect((await ask(`${url}/api/v1/demo/x`)).body.toString()).to.equal(TEXT);
  });
});

describe('the negotiation of codings', () => {
  it('never chooses what the client refuses, whatever it sends', () => {
    const negotiation = new Negotiation(SUPPORTED_CODINGS, SUPPORTED_CODINGS);
    const weight = fc.constantFrom('', ';q=0', ';q=0.5', ';q=1');
    const member = fc.tuple(fc.constantFrom('br', 'gzip', 'deflate', 'identity', '*'), weight);
    fc.assert(
      fc.property(fc.uniqueArray(member, { selector: ([name]) => name }), (members) => {
        const { best, takes } = negotiation.read(members.map(([name, q]) => name + q).join(', '));
        const quality = (name: string) => {
          const found = members.find(([each]) => each === name) ?? members.find(([each]) => each === '*');
          return found === undefined ? 0 : found[1] === '' ? 1 : Number(found[1].slice(3));
        };
        for (const coding of SUPPORTED_CODINGS)
          expect(takes.has(coding), coding).to.equal(quality(coding) > 0);
        if (best !== undefined) expect(quality(best)).to.equal(Math.max(...SUPPORTED_CODINGS.map(quality)));
      }),
    );
  });
});
