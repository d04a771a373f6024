import { once } from 'node:events';
import { get as httpGet } from 'node:http';
import { Readable } from 'node:stream';
import { createGzip, gunzipSync } from 'node:zlib';
import { expect } from 'chai';
import type { AttemptWrapper, GatewayMiddleware, GatewayPlugin } from '../../core/index.js';
import { type PluginKit, type PluginKitOptions, runPlugin } from '../support/plugin-kit.js';
import { until } from '../support/until.js';
import { startRawUpstream } from '../support/upstream.js';
import { definition } from './loader/support.js';

const JSON_BODY = '{"quote":42}';

/** Answers everything with the same JSON. */
const upstream: PluginKitOptions = {
  upstream(_req, res) {
    res.writeHead(200, {
      'Content-Type': 'application/json',
      'Content-Length': JSON_BODY.length,
      ETag: '"1"',
    });
    res.end(JSON_BODY);
  },
};

const pluginOf = (name: string, members: GatewayPlugin) => ({ definition: definition(name, {}, members) });
const layer = (name: string, middleware: GatewayMiddleware) =>
  pluginOf(name, { middleware: () => middleware });
const wrapper = (name: string, attempt: AttemptWrapper) => pluginOf(name, { attempt: () => attempt });

/** Runs middleware in front of an upstream that gives JSON. */
function run(middleware: GatewayMiddleware, options: PluginKitOptions = upstream): Promise<PluginKit> {
  return runPlugin(layer('subject', middleware).definition, {}, options);
}

/** Whom the log blames for the failure of the only request that failed. */
async function blamed({ logLines }: PluginKit): Promise<string> {
  const isFailure = (line: string) => line.includes('A request failed');
  await until('a line about the failure', () => logLines.some(isFailure));
  const { plugin, member }: { plugin?: string; member?: string } = JSON.parse(
    logLines.find(isFailure) ?? '{}',
  );
  return plugin === undefined ? 'no plugin' : `${plugin}.${member}`;
}

describe('the onion', () => {
  it('runs the plugins in declared order, and back', async () => {
    const calls: string[] = [];
    const noting = (name: string) =>
      layer(name, async (_ctx, next) => {
        calls.push(`${name} in`);
        await next();
        calls.push(`${name} out`);
      });
    const { agent } = await runPlugin(
      noting('b').definition,
      {},
      {
        ...upstream,
        before: [noting('a')],
        after: [noting('c')],
      },
    );
    await agent.get('/api/v1/demo/x').expect(200);
    expect(calls).to.deep.equal(['a in', 'b in', 'c in', 'c out', 'b out', 'a out']);
  });

  it('is built once per route, and leaves out plugins that have nothing to do there', async () => {
    let built = 0;
    const idle = pluginOf('idle', {
      middleware() {
        built++;
        return undefined;
      },
    });
    const { agent } = await runPlugin(idle.definition, {}, upstream);
    for (let i = 0; i < 3; i++) await agent.get('/api/v1/demo/x').expect(200, JSON_BODY);
    expect(built).to.equal(1);
  });

  it('ends where a plugin answers by itself', async () => {
    const kit = await run((ctx) => {
      ctx.body = { own: true };
    });
    await kit.agent.get('/api/v1/demo/x').expect(200, { own: true });
    expect(kit.upstream.requests).to.deep.equal([]);
  });

  it('takes middleware that returns something else than a promise', async () => {
    // What plain JavaScript does without a thought: an arrow function that gives the value of an assignment.
    const careless = (ctx: Parameters<GatewayMiddleware>[0]) => {
      ctx.body = 'hi';
      return 'hi';
    };
    const kit = await run(careless as unknown as GatewayMiddleware);
    await kit.agent.get('/api/v1/demo/x').expect(200, 'hi');
  });

  it('waits for next() also where middleware forgot to return its promise', async () => {
    const kit = await run((_ctx, next) => {
      void next();
    });
    await kit.agent.get('/api/v1/demo/x').expect(200, JSON_BODY);
  });

  it('survives the failure of a next() that nobody waits for', async () => {
    const kit = await run(
      (_ctx, next) => {
        void next();
      },
      {
        upstream: (_req, res) => {
          res.destroy();
        },
      },
    );
    await kit.agent.get('/api/v1/demo/x').expect(502);
  });

  describe('failures', () => {
    const failing: Readonly<Record<string, GatewayMiddleware>> = {
      'a synchronous throw': () => {
        throw new Error('secret detail');
      },
      'a rejection': async () => {
        throw new Error('secret detail');
      },
      'a rejection after next()': async (_ctx, next) => {
        await next();
        throw new Error('secret detail');
      },
      'a second next()': async (_ctx, next) => {
        await next();
        await next();
      },
      'something thrown that is no error': () => {
        throw 'text';
      },
    };
    for (const [name, middleware] of Object.entries(failing)) {
      it(`${name} is answered with 500, and tells the client nothing`, async () => {
        const kit = await runPlugin(
          layer('culprit', middleware).definition,
          {},
          {
            ...upstream,
            before: [layer('bystander', async (_ctx, next) => next())],
          },
        );
        const { body } = await kit.agent.get('/api/v1/demo/x').expect(500);
        expect(body).to.include({
          code: 'INTERNAL_ERROR',
          error: 'The gateway failed to handle the request',
        });
        const blame = await blamed(kit);
        if (name.includes('no error')) expect(blame).to.equal('no plugin');
        else expect(blame).to.equal('culprit.middleware');
      });
    }

    it('of the upstream are not blamed on the plugins that they pass', async () => {
      const kit = await runPlugin(
        layer('bystander', (_ctx, next) => next()).definition,
        {},
        {
          upstream: (_req, res) => {
            res.destroy();
          },
          after: [wrapper('wrapping', (_attempt, next) => next())],
        },
      );
      await kit.agent.get('/api/v1/demo/x').expect(502);
      expect(await blamed(kit)).to.equal('no plugin');
    });

    it('of a listener for finished requests end nothing but themselves', async () => {
      let heard = 0;
      const listener = pluginOf('listener', {
        finished() {
          heard++;
          throw new Error('no');
        },
      });
      const second = pluginOf('second', {
        finished() {
          heard++;
        },
      });
      const { agent, logLines } = await runPlugin(listener.definition, {}, { ...upstream, after: [second] });
      for (let i = 0; i < 2; i++) await agent.get('/api/v1/demo/x').expect(200);
      await until('all listeners', () => heard === 4);
      expect(logLines.join('')).to.contain('listener');
    });
  });

  describe('attempt wrappers', () => {
    it('stand around the attempt, the first plugin outermost, within all middleware', async () => {
      const calls: string[] = [];
      const wrapping = (name: string) => ({
        definition: definition(
          name,
          {},
          {
            middleware: () => async (_ctx, next) => {
              calls.push(`${name} middleware`);
              await next();
            },
            attempt: () => async (attempt, next) => {
              calls.push(`${name} ${attempt.number} ${attempt.exchange.route.id}`);
              const head = await next();
              calls.push(`${name} ${head.status}`);
              return head;
            },
          },
        ),
      });
      const kit = await runPlugin(wrapping('a').definition, {}, { ...upstream, after: [wrapping('b')] });
      await kit.agent.get('/api/v1/demo/x').expect(200);
      expect(calls).to.deep.equal(['a middleware', 'b middleware', 'a 1 demo', 'b 1 demo', 'b 200', 'a 200']);
    });

    it('may refuse the attempt, and are blamed for their failures', async () => {
      const kit = await runPlugin(
        wrapper('breaker', () => Promise.reject(new Error('broken'))).definition,
        {},
        upstream,
      );
      await kit.agent.get('/api/v1/demo/x').expect(500);
      expect(await blamed(kit)).to.equal('breaker.attempt');
      expect(kit.upstream.requests).to.deep.equal([]);
    });
  });
});

describe('middleware written for plain Koa', () => {
  it('compresses the body as a stream', async () => {
    const kit = await run(async (ctx, next) => {
      await next();
      ctx.set('Content-Encoding', 'gzip');
      ctx.body = (ctx.body as Readable).pipe(createGzip());
    });
    const response = await kit.agent
      .get('/api/v1/demo/x')
      .set('Accept-Encoding', 'identity')
      .buffer(true)
      .expect(200)
      .expect('Content-Type', 'application/json')
      .expect('Content-Encoding', 'gzip');
    expect(response.headers).not.to.have.property('content-length');
    expect(response.text).to.equal(JSON_BODY);
  });

  it('compresses a body that is not complete when the head comes', async () => {
    const kit = await run(
      async (ctx, next) => {
        await next();
        ctx.body = (ctx.body as Readable).pipe(createGzip());
      },
      {
        upstream(_req, res) {
          res.writeHead(200, { 'Content-Type': 'text/plain' });
          res.flushHeaders();
          setTimeout(() => res.end('x'.repeat(200_000)), 20);
        },
      },
    );
    const response = await fetch(`${kit.url}/api/v1/demo/x`);
    const body = gunzipSync(Buffer.from(await response.arrayBuffer()));
    expect(body.length).to.equal(200_000);
  });

  it('breaks the response off when the upstream breaks off behind a compressor', async () => {
    const raw = await startRawUpstream((socket) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\npart');
        setTimeout(() => socket.destroy(), 30);
      });
    });
    try {
      const kit = await run(
        async (ctx, next) => {
          await next();
          ctx.body = (ctx.body as Readable).pipe(createGzip());
        },
        { service: { targets: [raw.url] } },
      );
      // Broken off, or answered with an error where nothing had gone out yet: but never a clean end.
      const outcome = await new Promise<string>((resolve) => {
        httpGet(`${kit.url}/api/v1/demo/x`, (res) => {
          res.on('error', () => resolve('broken off'));
          res.on('end', () => resolve(res.statusCode === 200 ? 'a clean end' : String(res.statusCode)));
          res.resume();
        }).on('error', () => resolve('broken off'));
      });
      expect(outcome).to.be.oneOf(['broken off', '502']);
    } finally {
      await raw.close();
    }
  });

  it('reads the body', async () => {
    const kit = await run(async (ctx, next) => {
      await next();
      let text = '';
      for await (const chunk of ctx.body as Readable) text += chunk;
      ctx.body = text.replace('42', '43');
    });
    await kit.agent.get('/api/v1/demo/x').expect(200, { quote: 43 }).expect('Content-Length', '12');
  });

  const REPLACEMENTS: readonly [name: string, body: () => unknown, text: string, type: RegExp][] = [
    ['text', () => 'hello', 'hello', /^application\/json/],
    ['a buffer', () => Buffer.from('bytes'), 'bytes', /^application\/json/],
    ['an object', () => ({ a: 1 }), '{"a":1}', /^application\/json/],
    ['a stream', () => Readable.from(['one', 'two']), 'onetwo', /^application\/json/],
    ['a web stream', () => new Blob(['three']).stream(), 'three', /^application\/json/],
  ];
  for (const [name, body, text, type] of REPLACEMENTS) {
    it(`replaces the body by ${name}`, async () => {
      const kit = await run(async (ctx, next) => {
        await next();
        ctx.body = body();
      });
      const response = await fetch(`${kit.url}/api/v1/demo/x`);
      expect(response.status).to.equal(200);
      expect(await response.text()).to.equal(text);
      expect(response.headers.get('content-type')).to.match(type);
      expect(response.headers.get('etag')).to.equal(null);
    });
  }

  it('replaces the body by nothing', async () => {
    const kit = await run(
      async (ctx, next) => {
        await next();
        ctx.body = null;
      },
      {
        upstream(_req, res) {
          res.end('text');
        },
      },
    );
    const response = await fetch(`${kit.url}/api/v1/demo/x`);
    expect(response.status).to.equal(204);
    expect(await response.text()).to.equal('');
    expect(response.headers.get('content-length')).to.equal(null);
  });

  it('lets go of the upstream when the body is replaced', async () => {
    const kit = await run(
      async (ctx, next) => {
        await next();
        ctx.body = 'instead';
      },
      {
        upstream(_req, res) {
          res.write('the first of many');
        },
      },
    );
    await kit.agent.get('/api/v1/demo/x').expect(200, 'instead');
    await until('the upstream request to end', () => kit.upstream.activeRequests() === 0);
  });

  it('changes status and headers after next()', async () => {
    const kit = await run(async (ctx, next) => {
      await next();
      ctx.status = 418;
      ctx.set('X-Added', 'yes');
      ctx.remove('ETag');
      ctx.type = 'text/plain';
    });
    const response = await fetch(`${kit.url}/api/v1/demo/x`);
    expect(response.status).to.equal(418);
    expect(response.headers.get('x-added')).to.equal('yes');
    expect(response.headers.get('etag')).to.equal(null);
    expect(response.headers.get('content-type')).to.match(/^text\/plain/);
    expect(await response.text()).to.equal(JSON_BODY);
  });

  it('sees the status, type and length of the upstream’s response', async () => {
    const seen: unknown[] = [];
    const kit = await run(async (ctx, next) => {
      await next();
      seen.push(ctx.status, ctx.type, ctx.length, ctx.response.is('json'), ctx.response.get('etag'));
    });
    await kit.agent.get('/api/v1/demo/x').expect(200, JSON_BODY);
    expect(seen).to.deep.equal([200, 'application/json', JSON_BODY.length, 'json', '"1"']);
  });

  it('makes bodiless what must not have a body', async () => {
    const kit = await run(async (ctx, next) => {
      await next();
      ctx.status = 304;
    });
    const response = await fetch(`${kit.url}/api/v1/demo/x`);
    expect(response.status).to.equal(304);
    expect(await response.text()).to.equal('');
    // The connection is still in step.
    expect((await fetch(`${kit.url}/api/v1/demo/x`)).status).to.equal(304);
  });

  it('answers a stream that fails before its first byte with an error', async () => {
    const kit = await run((ctx) => {
      ctx.body = new Readable({
        read() {
          this.destroy(new Error('no'));
        },
      });
    });
    await kit.agent.get('/api/v1/demo/x').expect(500);
  });

  it('breaks off when a stream fails half way', async () => {
    const kit = await run((ctx) => {
      let sent = false;
      ctx.body = new Readable({
        read() {
          if (sent) setTimeout(() => this.destroy(new Error('no')), 20);
          else this.push('part');
          sent = true;
        },
      });
    });
    const request = httpGet(`${kit.url}/api/v1/demo/x`);
    const [response] = await once(request, 'response');
    const [error] = await once(response.resume(), 'error');
    expect(error).to.have.property('code', 'ECONNRESET');
  });

  describe('errors', () => {
    const ROWS: readonly [name: string, GatewayMiddleware, number, Record<string, unknown>][] = [
      ['ctx.throw(403)', (ctx) => ctx.throw(403), 403, { code: 'FORBIDDEN', error: 'Forbidden' }],
      [
        'ctx.throw with a message',
        (ctx) => ctx.throw(409, 'taken'),
        409,
        { code: 'CONFLICT', error: 'taken' },
      ],
      [
        'ctx.throw of a status that the table does not have',
        (ctx) => ctx.throw(418, 'teapot'),
        400,
        { code: 'BAD_REQUEST', error: 'teapot' },
      ],
      [
        'ctx.throw(500) hides its message',
        (ctx) => ctx.throw(500, 'secret'),
        500,
        { code: 'INTERNAL_ERROR', error: 'The gateway failed to handle the request' },
      ],
      [
        'expose: false',
        () => {
          throw Object.assign(new Error('secret'), { status: 404, expose: false });
        },
        404,
        { code: 'ROUTE_NOT_FOUND', error: 'No route matches the request' },
      ],
      [
        'expose: true',
        () => {
          throw Object.assign(new Error('come back later'), { status: 503, expose: true });
        },
        503,
        { code: 'SERVICE_UNAVAILABLE', error: 'come back later' },
      ],
    ];
    for (const [name, middleware, status, body] of ROWS) {
      it(name, async () => {
        const kit = await run(middleware);
        const response = await kit.agent.get('/api/v1/demo/x').expect(status);
        expect(response.body).to.include(body);
      });
    }

    it('keep the header fields that were set, and add their own', async () => {
      const kit = await run((ctx) => {
        ctx.set('Access-Control-Allow-Origin', '*');
        throw Object.assign(new Error('slow down'), {
          status: 429,
          expose: true,
          headers: { 'Retry-After': '3' },
        });
      });
      await kit.agent
        .get('/api/v1/demo/x')
        .expect(429)
        .expect('Access-Control-Allow-Origin', '*')
        .expect('Retry-After', '3');
    });
  });
});
