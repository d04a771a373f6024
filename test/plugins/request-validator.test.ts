import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { expect } from 'chai';
import fc from 'fast-check';
import { ConfigurationError } from '../../core/index.js';
import requestValidator from '../../plugins/request-validator/index.js';
import { type PluginKit, runPlugin } from '../support/plugin-kit.js';
import { RawConnection } from '../support/raw-client.js';
import { fieldValues } from '../support/upstream.js';

const ORDERS = '/api/v1/demo/orders';

const ORDER = {
  type: 'object',
  required: ['symbol', 'amount'],
  additionalProperties: false,
  properties: {
    symbol: { type: 'string', pattern: '^[A-Z]{3,10}$' },
    amount: { type: 'number', exclusiveMinimum: 0, maximum: 1000 },
    side: { enum: ['buy', 'sell'] },
    tags: { type: 'array', items: { type: 'string', maxLength: 5 }, maxItems: 3, uniqueItems: true },
    when: { type: 'string', format: 'date-time' },
    address: { type: 'object', required: ['city'], properties: { city: { type: 'string' } } },
  },
};

/** Sends exact bytes as a body. */
function post(kit: PluginKit, body: string | Buffer, type = 'application/json', target = ORDERS) {
  return kit.agent
    .post(target)
    .set('content-type', type)
    .serialize((data: string) => data)
    .send(typeof body === 'string' ? Buffer.from(body) : body);
}

/** Sends bytes as chunks of some size. */
async function postInChunks(kit: PluginKit, bytes: Buffer, size: number): Promise<void> {
  const connection = await RawConnection.open(kit.port);
  const head = ['Host: a', 'Content-Type: application/json', 'Transfer-Encoding: chunked'];
  connection.send(`POST ${ORDERS} HTTP/1.1\r\n${head.join('\r\n')}\r\n\r\n`);
  for (let at = 0; at < bytes.length; at += size) {
    const chunk = bytes.subarray(at, at + size);
    connection.send(
      Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]),
    );
  }
  connection.send('0\r\n\r\n');
  const { responses } = await connection.responses(1);
  connection.destroy();
  expect(responses[0]?.status).to.equal(200);
}

interface Fault {
  in: string;
  path: string;
  message: string;
  keyword: string;
}

function faults(response: { body: { details?: Fault[] } }): string[] {
  return (response.body.details ?? []).map((each) => `${each.in} ${each.path} ${each.keyword}`);
}

describe('request-validator', () => {
  it('answers 400 with all faults of all parts', async () => {
    const kit = await runPlugin(requestValidator, {
      schemas: {
        body: ORDER,
        query: {
          type: 'object',
          properties: { limit: { type: 'integer', maximum: 10 }, deep: { type: 'boolean' } },
        },
        headers: { type: 'object', required: ['X-Tenant'] },
      },
    });
    const response = await post(
      kit,
      '{"symbol":"btc","amount":-1,"extra":1,"address":{}}',
      'application/json',
      `${ORDERS}?limit=11&deep=maybe`,
    ).expect(400);
    expect(response.body).to.include({
      code: 'BAD_REQUEST',
      error: 'The request is not valid: 7 faults',
    });
    expect(response.body.details).to.deep.include.members([
      {
        in: 'body',
        path: '/symbol',
        message: 'expected text that matches ^[A-Z]{3,10}$',
        keyword: 'pattern',
      },
      { in: 'body', path: '/amount', message: 'expected a number > 0', keyword: 'exclusiveMinimum' },
      { in: 'body', path: '/extra', message: 'expected no such property', keyword: 'additionalProperties' },
      { in: 'body', path: '/address/city', message: 'expected a value', keyword: 'required' },
      { in: 'query', path: '/limit', message: 'expected a number <= 10', keyword: 'maximum' },
      { in: 'query', path: '/deep', message: 'expected boolean', keyword: 'type' },
      { in: 'header', path: '/x-tenant', message: 'expected a value', keyword: 'required' },
    ]);
    expect(kit.upstream.requests).to.deep.equal([]);
  });

  describe('bodies', () => {
    const good: [string, string | Buffer, string?][] = [
      ['as small as can be', '{"symbol":"BTC","amount":1}'],
      ['in another order, with odd white space', '\r\n{ "amount" :\t1.50 ,\n"symbol":"BTC"  }  '],
      ['with escapes', '{"s\\u0079mbol":"\\u0042TC","amount":1e1}'],
      [
        'with everything',
        '{"symbol":"BTC","amount":1,"side":"buy","tags":["a","b"],"address":{"city":"Zürich"}}',
      ],
      ['with a date', '{"symbol":"BTC","amount":1,"when":"2024-01-01T00:00:00Z"}'],
      ['of a JSON-based type', '{"symbol":"BTC","amount":1}', 'application/vnd.order+json'],
      ['with a charset', '{"symbol":"BTC","amount":1}', 'application/json; charset=UTF-8'],
    ];
    for (const [what, body, type] of good) {
      it(`pass byte for byte: ${what}`, async () => {
        const kit = await runPlugin(requestValidator, { schemas: { body: ORDER } });
        await post(kit, body, type).expect(200);
        expect(kit.upstream.requests[0]?.body.toString()).to.equal(body.toString());
      });
    }

    const utf8 = (text: string, ...bytes: number[]) => Buffer.concat([Buffer.from(text), Buffer.from(bytes)]);
    const bad: [string, string | Buffer, string[]][] = [
      ['empty object', '{}', ['body /symbol required', 'body /amount required']],
      ['wrong root', '[]', ['body  type']],
      ['null', 'null', ['body  type']],
      ['no JSON', 'symbol=BTC', ['body  json']],
      ['a cut end', '{"symbol":"BTC","amount":1', ['body  json']],
      ['two values', '{"symbol":"BTC","amount":1}{}', ['body  json']],
      ['a comma too many', '{"symbol":"BTC","amount":1,}', ['body  json']],
      ['a comment', '{"symbol":"BTC",/**/"amount":1}', ['body  json']],
      ['single quotes', "{'symbol':'BTC','amount':1}", ['body  json']],
      ['NaN', '{"symbol":"BTC","amount":NaN}', ['body  json']],
      ['a control character', '{"symbol":"B\u0001TC","amount":1}', ['body  json']],
      ['a leading zero', '{"symbol":"BTC","amount":01}', ['body  json']],
      ['a byte order mark', '\ufeff{"symbol":"BTC","amount":1}', ['body  json']],
      ['a NUL at the end', '{"symbol":"BTC","amount":1}\0', ['body  json']],
      ['only white space', '   ', ['body  json']],
      ['an infinite number', '{"symbol":"BTC","amount":1e999}', ['body /amount type']],
      ['a number as text', '{"symbol":"BTC","amount":"1"}', ['body /amount type']],
      ['a boundary', '{"symbol":"BTC","amount":0}', ['body /amount exclusiveMinimum']],
      ['another value', '{"symbol":"BTC","amount":1,"side":"hold"}', ['body /side enum']],
      ['a long item', '{"symbol":"BTC","amount":1,"tags":["a","bcdefg"]}', ['body /tags/1 maxLength']],
      ['equal items', '{"symbol":"BTC","amount":1,"tags":["a","a"]}', ['body /tags uniqueItems']],
      ['many items', '{"symbol":"BTC","amount":1,"tags":["a","b","c","d"]}', ['body /tags maxItems']],
      ['no date', '{"symbol":"BTC","amount":1,"when":"2024-02-30T00:00:00Z"}', ['body /when format']],
      ['a key twice', '{"symbol":"BTC","amount":1,"amount":2}', ['body /amount duplicateKeys']],
      [
        'a key twice, escaped',
        '{"symbol":"BTC","\\u0061mount":1,"amount":2}',
        ['body /amount duplicateKeys'],
      ],
      [
        'a prototype',
        '{"symbol":"BTC","amount":1,"__proto__":{"admin":true}}',
        ['body /__proto__ prototypeKeys', 'body /__proto__ additionalProperties'],
      ],
      ['100,000 brackets', '['.repeat(100_000), [`body ${'/0'.repeat(32)} maxDepth`]],
      ['100,000 braces', '{"a":'.repeat(100_000), [`body ${'/a'.repeat(32)} maxDepth`]],
      [
        'a byte that is not UTF-8',
        utf8('{"symbol":"BTC","amount":1,"x":"', 0xff, 0x22, 0x7d),
        ['body  encoding'],
      ],
      ['an overlong slash', utf8('{"symbol":"', 0xc0, 0xaf, 0x22, 0x7d), ['body  encoding']],
      ['a surrogate in UTF-8', utf8('{"symbol":"', 0xed, 0xa0, 0x80, 0x22, 0x7d), ['body  encoding']],
      ['a cut UTF-8 sequence', utf8('"', 0xe2, 0x82), ['body  encoding']],
      ['UTF-16', Buffer.from('\ufeff{"symbol":"BTC","amount":1}', 'utf16le'), ['body  encoding']],
    ];
    for (const [what, body, wanted] of bad) {
      it(`are refused with 400: ${what}`, async () => {
        const kit = await runPlugin(requestValidator, { schemas: { body: ORDER } });
        const started = performance.now();
        const response = await post(kit, body).expect(400);
        expect(faults(response)).to.have.members(wanted);
        expect(kit.upstream.requests).to.deep.equal([]);
        expect(performance.now() - started).to.be.below(1000);
      });
    }

    const types: [string, string, object][] = [
      ['text/plain', '{"symbol":"BTC","amount":1}', {}],
      ['application/xml', '<a/>', {}],
      ['application/x-www-form-urlencoded', 'symbol=BTC&amount=1', {}],
      ['multipart/form-data; boundary=x', '--x--', {}],
      ['application/json; charset=utf-16', '{}', {}],
      ['application/json; charset="latin1"', '{}', {}],
      ['nonsense', '{}', {}],
      ['application/json', '{}', { contentTypes: ['text/*'] }],
      // What cannot be read is no way round the schema, even where it is listed.
      ['image/png', '{}', { contentTypes: ['image/*'] }],
    ];
    for (const [type, body, options] of types) {
      it(`are refused with 415: ${type} with ${JSON.stringify(options)}`, async () => {
        const kit = await runPlugin(requestValidator, { schemas: { body: ORDER }, ...options });
        await post(kit, body, type).expect(415);
        expect(kit.upstream.requests).to.deep.equal([]);
      });
    }

    it('of a malformed type are refused with 415, schema or not', async () => {
      const kit = await runPlugin(requestValidator);
      for (const type of ['json', 'application/json, text/plain', 'application/', 'a/b c']) {
        await post(kit, '{', type).expect(415);
      }
      await post(kit, '{}', 'application/json;').expect(200);
    });

    it('without a content type are refused with 415 where a schema applies', async () => {
      const { port } = await runPlugin(requestValidator, { schemas: { body: ORDER } });
      const connection = await RawConnection.open(port);
      connection.send(`POST ${ORDERS} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}`);
      const { responses } = await connection.responses(1);
      connection.destroy();
      expect(responses[0]?.status).to.equal(415);
    });

    it('with two content types are refused', async () => {
      const { port } = await runPlugin(requestValidator);
      const connection = await RawConnection.open(port);
      connection.send(
        `POST ${ORDERS} HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`,
      );
      const { responses } = await connection.responses(1);
      connection.destroy();
      expect(responses[0]?.status).to.equal(400);
    });

    it('must be there for POST, PUT and PATCH where a schema applies', async () => {
      const { agent } = await runPlugin(requestValidator, { schemas: { body: ORDER } });
      for (const method of ['post', 'put', 'patch'] as const) {
        const response = await agent[method](ORDERS).expect(400);
        expect(faults(response)).to.deep.equal(['body  required']);
      }
      await agent.get(ORDERS).expect(200);
      await agent.delete(ORDERS).expect(200);
    });

    it('in chunks without anything in them are missing too', async () => {
      const { port } = await runPlugin(requestValidator, { schemas: { body: ORDER } });
      const connection = await RawConnection.open(port);
      connection.send(
        `POST ${ORDERS} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      );
      const { responses } = await connection.responses(1);
      connection.destroy();
      expect(responses[0]?.status).to.equal(400);
    });

    it('of JSON are checked without a schema as well', async () => {
      const kit = await runPlugin(requestValidator, { maxDepth: 2 });
      await post(kit, '[[1]]').expect(200);
      await post(kit, '[[[1]]]').expect(400);
      await post(kit, '{"a":1,"a":1}').expect(400);
      await post(kit, '{').expect(400);
      await post(kit, '{', 'text/plain').expect(200);
    });

    it('may have a key twice where that is allowed', async () => {
      const kit = await runPlugin(requestValidator, { duplicateKeys: 'allow' });
      await post(kit, '{"a":1,"a":2}').expect(200);
      expect(kit.upstream.requests[0]?.body.toString()).to.equal('{"a":1,"a":2}');
    });

    it('of forms are checked by the types of the schema where they are listed', async () => {
      const kit = await runPlugin(requestValidator, {
        contentTypes: ['application/x-www-form-urlencoded', 'application/json'],
        schemas: { body: ORDER },
        sanitise: { removeAdditional: true },
      });
      const form = 'application/x-www-form-urlencoded';
      await post(kit, 'symbol=BTC&amount=1&tags=a&tags=b', form).expect(200);
      expect(kit.upstream.requests[0]?.body.toString()).to.equal('symbol=BTC&amount=1&tags=a&tags=b');
      const response = await post(kit, 'symbol=BTC&amount=0x1&extra=1&%ff=1', form).expect(400);
      expect(faults(response)).to.have.members([
        'body /amount type',
        'body /extra additionalProperties',
        'body /%ff encoding',
      ]);
      await post(kit, 'symbol=BTC&amount=1&__proto__[a]=1', form).expect(400);
    });
  });

  describe('sizes', () => {
    it('are refused with 413 above maxBody, however they are framed', async () => {
      const kit = await runPlugin(requestValidator, { maxBody: 10 });
      for (const type of ['application/json', 'image/png']) {
        await post(kit, '"12345678"', type).expect(200);
        await post(kit, '"123456789"', type).expect(413);
        const connection = await RawConnection.open(kit.port);
        const head = `POST ${ORDERS} HTTP/1.1\r\nHost: a\r\nContent-Type: ${type}\r\nTransfer-Encoding: chunked\r\n\r\n`;
        connection.send(`${head}b\r\n"123456789"\r\n0\r\n\r\n`);
        const { responses } = await connection.responses(1);
        connection.destroy();
        expect(responses[0]?.status).to.equal(413);
      }
    });

    it('of bodies that are not looked into stream on', async () => {
      const kit = await runPlugin(requestValidator, { maxBody: '2mb' });
      const body = Buffer.alloc(1_500_000, 1);
      await post(kit, body, 'application/octet-stream').expect(200);
      expect(kit.upstream.requests[0]?.bodyLength).to.equal(body.length);
    });
  });

  describe('compressed bodies', () => {
    const JSON_TEXT = '{ "symbol": "BTC", "amount": 1 }';

    it('are refused with 415 by default', async () => {
      const kit = await runPlugin(requestValidator, { schemas: { body: ORDER } });
      const response = await post(kit, gzipSync(JSON_TEXT)).set('content-encoding', 'gzip').expect(415);
      expect(response.headers['accept-encoding']).to.equal('identity');
      await post(kit, JSON_TEXT).set('content-encoding', 'identity').expect(200);
    });

    for (const [coding, compress] of [
      ['gzip', gzipSync],
      ['deflate', deflateSync],
      ['br', brotliCompressSync],
    ] as const) {
      it(`are decompressed for the check, and forwarded as they came: ${coding}`, async () => {
        const kit = await runPlugin(requestValidator, { compressed: 'decode', schemas: { body: ORDER } });
        const body = compress(JSON_TEXT);
        await post(kit, body).set('content-encoding', coding).expect(200);
        const [seen] = kit.upstream.requests;
        expect(seen?.body.equals(body)).to.equal(true);
        expect(fieldValues(seen?.rawHeaders ?? [], 'content-encoding')).to.deep.equal([coding]);
        await post(kit, compress('{}')).set('content-encoding', coding).expect(400);
        await post(kit, Buffer.from(JSON_TEXT)).set('content-encoding', coding).expect(400);
        await post(kit, compress(Buffer.alloc(5_000_000, 0x20)))
          .set('content-encoding', coding)
          .expect(413);
      });
    }

    it('of other and of several codings are refused', async () => {
      const kit = await runPlugin(requestValidator, { compressed: 'decode' });
      await post(kit, 'x').set('content-encoding', 'zstd').expect(415);
      await post(kit, gzipSync(gzipSync('{}')))
        .set('content-encoding', 'gzip, gzip')
        .expect(415);
    });

    it('are sent on plain when sanitising wrote them anew', async () => {
      const kit = await runPlugin(requestValidator, { compressed: 'decode', sanitise: { trim: true } });
      await post(kit, gzipSync('[" a "]')).set('content-encoding', 'gzip').expect(200);
      const [seen] = kit.upstream.requests;
      expect(seen?.body.toString()).to.equal('["a"]');
      expect(fieldValues(seen?.rawHeaders ?? [], 'content-encoding')).to.deep.equal([]);
    });
  });

  describe('queries, paths and header fields', () => {
    const options = {
      rules: [
        {
          path: '/api/v1/demo/items/:id',
          params: { type: 'object', properties: { id: { type: 'integer', minimum: 1 } } },
        },
        {
          methods: ['GET'],
          query: {
            type: 'object',
            additionalProperties: false,
            required: ['q'],
            properties: {
              q: { type: 'string', minLength: 2 },
              n: { $ref: '#/$defs/count' },
              on: { type: 'boolean' },
              ids: { type: 'array', items: { type: 'integer' }, maxItems: 2 },
            },
            $defs: { count: { type: 'integer' } },
          },
        },
        {
          methods: ['DELETE'],
          headers: {
            type: 'object',
            properties: { 'X-Reason': { type: 'string', pattern: '^[a-z]+$' } },
            required: ['X-Reason'],
          },
        },
      ],
    };
    for (const [method, target, wanted] of [
      ['get', 'items/1?q=ab', undefined],
      ['get', 'items/1?q=%C3%BC%C3%BC', undefined],
      ['get', 'items/1?q=ab&n=5&on=true&ids=1&ids=2', undefined],
      ['get', 'items/1?q=ab&ids=1', undefined],
      ['get', 'items/x?q=ab', ['path /id type']],
      ['get', 'items/x/?q=ab', ['path /id type']],
      ['get', 'items/%31?q=ab', undefined],
      ['get', 'items/0?q=ab', ['path /id minimum']],
      ['get', 'items/1/2?q=ab', undefined],
      ['get', 'items/1', ['query /q required']],
      ['head', 'items/1', []],
      ['get', 'items/1?q=a', ['query /q minLength']],
      ['get', 'items/1?q=%C3%BC', ['query /q minLength']],
      ['get', 'items/1?q=ab&n=1.5', ['query /n type']],
      ['get', 'items/1?q=ab&n=0x10', ['query /n type']],
      ['get', 'items/1?q=ab&n=%201', ['query /n type']],
      ['get', 'items/1?q=ab&n=', ['query /n type']],
      ['get', 'items/1?q=ab&n=1&n=2', ['query /n type']],
      ['get', 'items/1?q=ab&on=TRUE', ['query /on type']],
      ['get', 'items/1?q=ab&ids=1&ids=x', ['query /ids/1 type']],
      ['get', 'items/1?q=ab&ids=1&ids=2&ids=3', ['query /ids maxItems']],
      ['get', 'items/1?q=ab&other=1', ['query /other additionalProperties']],
      ['get', 'items/1?q=%ff', ['query /q encoding', 'query /q required']],
      [
        'get',
        'items/1?q=ab&__proto__[a]=1',
        ['query /__proto__[a] prototypeKeys', 'query /__proto__[a] additionalProperties'],
      ],
      [
        'get',
        'items/1?q=ab&%5f_proto__.a=1',
        ['query /__proto__.a prototypeKeys', 'query /__proto__.a additionalProperties'],
      ],
      [
        'post',
        'items/1?x[constructor][prototype][a]=1',
        ['query /x[constructor][prototype][a] prototypeKeys'],
      ],
      ['post', 'items/1?constructor=1&prototype=2', undefined],
      ['delete', 'items/1', ['header /x-reason required']],
      ['post', 'items/1', undefined],
    ] as const) {
      it(`${method} ${target}: ${wanted?.join(', ') ?? 'passes'}`, async () => {
        const { agent } = await runPlugin(requestValidator, options);
        const response = await agent[method](`/api/v1/demo/${target}`).expect(
          wanted === undefined ? 200 : 400,
        );
        if (method !== 'head') expect(faults(response)).to.have.members(wanted ?? []);
      });
    }

    it('sees every line of a header field', async () => {
      const { port } = await runPlugin(requestValidator, options);
      const connection = await RawConnection.open(port);
      connection.send(`DELETE ${ORDERS} HTTP/1.1\r\nHost: a\r\nX-Reason: ok\r\nX-Reason: <b>\r\n\r\n`);
      connection.send(`DELETE ${ORDERS} HTTP/1.1\r\nHost: a\r\nx-reaSon: ok\r\n\r\n`);
      const { responses } = await connection.responses(2);
      connection.destroy();
      expect(responses.map(({ status }) => status)).to.deep.equal([400, 200]);
    });

    it('takes what leads to a prototype out of the query where it is to be stripped', async () => {
      const { agent, upstream } = await runPlugin(requestValidator, { prototypeKeys: 'strip' });
      await agent.get('/api/v1/demo/x?a=%20+1&__proto__[b]=2&c').expect(200);
      await agent.get('/api/v1/demo/x?__proto__=2').expect(200);
      expect(upstream.requests.map(({ url }) => url)).to.deep.equal(['/api/v1/x?a=%20+1&c', '/api/v1/x']);
    });
  });

  describe('sanitising', () => {
    const sanitised = async (sanitise: object, body: string) => {
      const kit = await runPlugin(requestValidator, {
        sanitise,
        schemas: {
          body: {
            type: 'object',
            additionalProperties: false,
            properties: {
              n: { type: 'integer' },
              s: { type: 'string', maxLength: 3 },
              d: { type: 'string', default: 'x' },
            },
          },
        },
      });
      const response = await post(kit, body);
      const [seen] = kit.upstream.requests;
      if (seen === undefined) return `${response.status} ${faults(response).join()}`;
      expect(fieldValues(seen.rawHeaders, 'content-length')).to.deep.equal([`${seen.body.length}`]);
      return seen.body.toString();
    };

    for (const [sanitise, body, wanted] of [
      [{}, '{ "s" : " a " }', '{ "s" : " a " }'],
      [{ trim: true }, '{ "s" : "  ä\\n " }', '{"s":"ä"}'],
      [{ trim: true }, '{"s":"abcd"}', '400 body /s maxLength'],
      [{ removeAdditional: true }, '{"n":1, "x":2}', '{"n":1}'],
      [{ defaults: true }, '{"n":1}', '{"n":1,"d":"x"}'],
      [{ coerceTypes: true }, '{"n":"1","s":5}', '{"n":1,"s":"5"}'],
      [{ coerceTypes: true }, '{"n":"x"}', '400 body /n type'],
      [{ trim: true }, '{"n":12345678901234567890}', '400 body /n inexactNumber'],
      [
        { trim: true },
        '{"__proto__":{"s":1}}',
        '400 body /__proto__ prototypeKeys,body /__proto__ additionalProperties',
      ],
    ] as const) {
      it(`${JSON.stringify(sanitise)} makes ${wanted} of ${body}`, async () => {
        expect(await sanitised(sanitise, body)).to.equal(wanted);
      });
    }

    it('takes keys that lead to a prototype out, and leaves other bodies as they are', async () => {
      const kit = await runPlugin(requestValidator, { prototypeKeys: 'strip' });
      await post(kit, '{ "a":1,"b":[{"__proto__":{"x":1},"constructor":{"prototype":1,"c":2}}]}').expect(200);
      await post(kit, '{ "a": 1.0 }').expect(200);
      expect(kit.upstream.requests.map(({ body }) => body.toString())).to.deep.equal([
        '{"a":1,"b":[{"constructor":{"c":2}}]}',
        '{ "a": 1.0 }',
      ]);
    });
  });

  it('lists 50 faults, and says how many more there are', async () => {
    const kit = await runPlugin(requestValidator, {
      schemas: { body: { type: 'array', items: { type: 'string' } } },
    });
    const response = await post(kit, JSON.stringify(Array(73).fill(1))).expect(400);
    expect(response.body.error).to.equal('The request is not valid: 73 faults, of which 23 are not listed');
    expect(response.body.details).to.have.length(50);
  });

  it('stops at the first fault of a large body', async () => {
    const kit = await runPlugin(requestValidator, {
      schemas: { body: { type: 'array', items: { type: 'string' } } },
    });
    const started = performance.now();
    const response = await post(kit, JSON.stringify(Array(400_000).fill(1))).expect(400);
    expect(response.body.error).to.equal('The request is not valid: at least 1 fault');
    expect(performance.now() - started).to.be.below(2000);
  });

  it('never shows values of the request', async () => {
    const kit = await runPlugin(requestValidator, {
      schemas: {
        body: ORDER,
        query: { type: 'object', properties: { token: { type: 'integer' } } },
        headers: { type: 'object', properties: { authorization: { const: 'x' } } },
      },
    });
    for (const body of ['{"symbol":"hunter2","amount":"hunter2","side":"hunter2"}', '"hunter2', 'hunter2']) {
      const response = await post(kit, body, 'application/json', `${ORDERS}?token=hunter2`)
        .set('authorization', 'Bearer hunter2')
        .expect(400);
      expect(response.text).not.to.contain('hunter2');
    }
    expect(kit.logLines.join('')).not.to.contain('hunter2');
  });

  it('cuts long names in the answer', async () => {
    const kit = await runPlugin(requestValidator, { schemas: { body: ORDER } });
    const response = await post(kit, JSON.stringify({ ['k'.repeat(50_000)]: 1 })).expect(400);
    expect(response.text.length).to.be.below(2000);
  });

  it('lets any JSON that the schema accepts through, byte for byte', async () => {
    const kit = await runPlugin(requestValidator, {
      maxDepth: 100,
      schemas: { body: { type: ['object', 'array', 'string', 'number', 'boolean', 'null'] } },
    });
    await fc.assert(
      fc.asyncProperty(
        fc.jsonValue(),
        fc.nat(4),
        fc.integer({ min: 0, max: 50 }),
        async (value, indent, size) => {
          const text = JSON.stringify(value, null, indent);
          fc.pre(!text.includes('__proto__'));
          if (size === 0) await post(kit, text).expect(200);
          else await postInChunks(kit, Buffer.from(text), size);
          const seen = kit.upstream.requests.at(-1);
          expect(seen?.body.toString()).to.equal(text);
          expect(seen?.framing).to.equal('length');
        },
      ),
      { numRuns: 100 },
    );
  });

  it('is overridden and switched off per service', async () => {
    const off = await runPlugin(
      requestValidator,
      {},
      { service: { plugins: { 'request-validator': false } } },
    );
    await post(off, '{').expect(200);
    const other = await runPlugin(
      requestValidator,
      {},
      { service: { plugins: { 'request-validator': { schemas: { body: { type: 'array' } } } } } },
    );
    await post(other, '[]').expect(200);
    await post(other, '{}').expect(400);
  });

  describe('wrong options', () => {
    const refused = async (options: object) => {
      try {
        await runPlugin(requestValidator, options);
      } catch (error) {
        if (error instanceof ConfigurationError) return error.message;
        throw error;
      }
      return 'nothing';
    };
    for (const [what, options, place] of [
      ['a type', { schemas: { body: { type: 'strng' } } }, 'schemas.body/type'],
      [
        'a keyword',
        { schemas: { body: { properties: { a: { minLenght: 1 } } } } },
        'schemas.body/properties/a/minLenght',
      ],
      [
        'a format',
        { schemas: { query: { properties: { a: { format: 'datetime' } } } } },
        'schemas.query/properties/a/format',
      ],
      [
        'a pattern',
        { schemas: { headers: { properties: { a: { pattern: '(' } } } } },
        'schemas.headers/properties/a/pattern',
      ],
      ['a reference', { rules: [{}, { params: { $ref: '#/$defs/none' } }] }, 'rules[1].params'],
      ['a length', { rules: [{ body: { items: { minLength: -1 } } }] }, 'rules[0].body/items/minLength'],
      ['a circle', { schemas: { body: { $ref: '#' } } }, 'schemas.body'],
      [
        'a longer circle',
        { schemas: { body: { allOf: [{ $ref: '#/$defs/a' }], $defs: { a: { $ref: '#' } } } } },
        'schemas.body',
      ],
      ['no limit', { maxBody: 0 }, 'maxBody'],
      ['a depth', { maxDepth: 100_000 }, 'maxDepth'],
      ['a sanitiser', { sanitise: { upperCase: true } }, 'sanitise.upperCase'],
      ['a content type', { contentTypes: ['json'] }, 'contentTypes[0]'],
      ['a schema part', { schemas: { cookies: {} } }, 'schemas.cookies'],
    ] as const) {
      it(`stop the start with their place: ${what}`, async () => {
        expect(await refused(options)).to.contain(place);
      });
    }

    it('are reported together', async () => {
      const message = await refused({
        schemas: { body: { type: 'x' }, query: { minimum: 'x' } },
        rules: [{ headers: { bogus: 1 } }],
      });
      expect(message.split('\n')).to.have.length.of.at.least(3);
    });
  });
});
