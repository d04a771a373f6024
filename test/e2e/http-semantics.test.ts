import { METHODS } from 'node:http';
import { expect } from 'chai';
import { type RunningGateway, service, startGateway } from '../support/gateway.js';
import { RawConnection, request, sendRaw } from '../support/raw-client.js';
import {
  answering,
  fieldValues,
  type RawUpstream,
  startRawUpstream,
  startUpstream,
  type Upstream,
} from '../support/upstream.js';

describe('HTTP semantics', () => {
  let upstream: Upstream;
  /** Answers every request with {@link rawAnswer}. */
  let raw: RawUpstream;
  let rawAnswer: string;
  let gateway: RunningGateway;

  before(async () => {
    upstream = await startUpstream();
    raw = await startRawUpstream(answering(() => rawAnswer));
    gateway = await startGateway({
      services: {
        a: service(upstream.url),
        raw: service(raw.url, { pool: { connections: 1 } }),
        small: service(upstream.url, { preserveHost: true }),
      },
    });
  });
  after(async () => {
    await gateway.stop();
    await upstream.close();
    await raw.close();
  });
  beforeEach(() => {
    upstream.requests.length = 0;
  });

  const seen = (name: string) => fieldValues(upstream.requests[0]?.rawHeaders ?? [], name);

  describe('methods', () => {
    // A proxy may refuse TRACE (RFC 9110 section 9.3.8 leaves it to send back secrets); CONNECT is no request to a path.
    for (const method of METHODS.filter((name) => name !== 'CONNECT' && name !== 'TRACE')) {
      it(method, async () => {
        const response = await request(gateway.port, method, '/api/v1/a/x', ['Content-Length: 3'], 'abc');
        expect(response.status).to.equal(200);
        expect(upstream.requests.map((r) => `${r.method} ${r.url} ${r.body}`)).to.deep.equal([
          `${method} /api/v1/x abc`,
        ]);
      });
    }
  });

  describe('paths and Host', () => {
    it('maps /api/v1/{service}/ to the base path and keeps the query', async () => {
      await request(gateway.port, 'GET', '/api/v1/a/b/c?d=e&f=%2F+%20&&');
      expect(upstream.requests[0]?.url).to.equal('/api/v1/b/c?d=e&f=%2F+%20&&');
    });

    it('sends the target’s authority as Host', async () => {
      await request(gateway.port, 'GET', '/api/v1/a/x');
      expect(seen('host')).to.deep.equal([`127.0.0.1:${upstream.port}`]);
    });

    it('sends the client’s Host with preserveHost', async () => {
      await request(gateway.port, 'GET', '/api/v1/small/x');
      expect(seen('host')).to.deep.equal(['gateway.test']);
    });
  });

  describe('responses', () => {
    for (const status of [
      200, 201, 202, 206, 300, 301, 307, 400, 401, 404, 409, 418, 429, 451, 500, 502, 503, 504, 599,
    ]) {
      it(`passes ${status} on`, async () => {
        const response = await request(gateway.port, 'GET', `/api/v1/a/status/${status}`);
        expect(response.status).to.equal(status);
        expect(response.body.toString()).to.equal(`status ${status}`);
      });
    }

    it('HEAD: the length of the GET, and no body', async () => {
      const response = await request(gateway.port, 'HEAD', '/api/v1/a/large?bytes=1000');
      expect(response.status).to.equal(200);
      expect(response.header('content-length')).to.equal('1000');
    });

    it('HEAD leaves the connection in step', async () => {
      const get = 'GET /api/v1/a/empty HTTP/1.1\r\nHost: gateway.test\r\nConnection: close\r\n\r\n';
      const { responses } = await sendRaw(
        gateway.port,
        `HEAD /api/v1/a/large HTTP/1.1\r\nHost: gateway.test\r\n\r\n${get}`,
        { methods: ['HEAD', 'GET'] },
      );
      expect(responses.map((response) => response.status)).to.deep.equal([200, 200]);
    });

    it('204: no body and no framing field', async () => {
      const response = await request(gateway.port, 'GET', '/api/v1/a/no-content');
      expect(response.status).to.equal(204);
      expect(response.header('x-kind')).to.equal('empty');
    });

    it('304: the validators, and no body', async () => {
      const response = await request(gateway.port, 'GET', '/api/v1/a/not-modified', ['If-None-Match: "v1"']);
      expect(response.status).to.equal(304);
      expect(response.header('etag')).to.equal('"v1"');
      expect(seen('if-none-match')).to.deep.equal(['"v1"']);
    });

    it('304 with the length of what was not sent, and the connection stays', async () => {
      rawAnswer = 'HTTP/1.1 304 Not Modified\r\nETag: "v1"\r\nContent-Length: 1000\r\n\r\n';
      const connection = await RawConnection.open(gateway.port);
      connection.send('GET /api/v1/raw/x HTTP/1.1\r\nHost: gateway.test\r\n\r\n');
      await connection.responses(1);
      connection.send('GET /api/v1/a/empty HTTP/1.1\r\nHost: gateway.test\r\n\r\n');
      const { responses } = await connection.responses(2);
      expect(responses.map(({ status }) => status)).to.deep.equal([304, 200]);
    });

    it('a length of 0', async () => {
      const response = await request(gateway.port, 'GET', '/api/v1/a/empty');
      expect(response.header('content-length')).to.equal('0');
    });

    it('chunks', async () => {
      const response = await request(gateway.port, 'GET', '/api/v1/a/chunked');
      // How a body is delimited is a matter of each connection (RFC 9112 section 6.1).
      expect(response.framing).to.be.oneOf(['chunked', 'length']);
      expect(response.body.toString()).to.equal('one,two,three');
    });

    it('chunks to an HTTP/1.0 client: the body ends with the connection', async () => {
      const connection = await RawConnection.open(gateway.port);
      connection.send('GET /api/v1/a/chunked HTTP/1.0\r\nHost: gateway.test\r\n\r\n');
      const { responses } = await connection.closure();
      expect(responses[0]?.header('transfer-encoding')).to.equal(undefined);
      expect(responses[0]?.body.toString()).to.equal('one,two,three');
    });

    it('a body that ends with the upstream’s connection', async () => {
      const closing = await startRawUpstream(answering('HTTP/1.1 200 OK\r\n\r\nuntil the end', 'end'));
      const own = await startGateway({ services: { a: service(closing.url) } });
      try {
        const response = await request(own.port, 'GET', '/api/v1/a/x');
        expect(response.body.toString()).to.equal('until the end');
      } finally {
        await own.stop();
        await closing.close();
      }
    });

    it('trailers', async () => {
      const response = await request(gateway.port, 'GET', '/api/v1/a/trailers', ['TE: trailers']);
      expect(response.body.toString()).to.equal('body');
      expect(response.rawTrailers.map((part) => part.toLowerCase())).to.deep.equal(['x-checksum', 'abc']);
    });

    for (const [name, start, head] of [
      ['to HEAD', 'HEAD /api/v1/raw/x HTTP/1.1', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n'],
      ['to HTTP/1.0', 'GET /api/v1/raw/x HTTP/1.0', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n'],
      ['beside a length', 'GET /api/v1/raw/x HTTP/1.1', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n'],
      ['of a 304', 'GET /api/v1/raw/x HTTP/1.1', 'HTTP/1.1 304 Not Modified\r\nETag: "v1"\r\n'],
    ] as const) {
      it(`trailers that cannot follow are not announced: ${name}`, async () => {
        rawAnswer = `${head}Trailer: x-checksum\r\n\r\n`;
        const connection = await RawConnection.open(gateway.port, [start.split(' ', 1)[0] ?? '']);
        connection.send(`${start}\r\nHost: gateway.test\r\nConnection: close\r\n\r\n`);
        const { responses } = await connection.closure();
        expect(responses[0]?.status).to.equal(Number(head.split(' ', 2)[1]));
        expect(responses[0]?.header('trailer')).to.equal(undefined);
      });
    }

    it('several Set-Cookie, each in a field of its own', async () => {
      const response = await request(gateway.port, 'GET', '/api/v1/a/cookies');
      expect(response.values('set-cookie')).to.deep.equal([
        'a=1; Path=/',
        'b=2; Expires=Wed, 21 Oct 2015 07:28:00 GMT',
        'c=3',
      ]);
    });

    it('drops hop-by-hop fields, also those that Connection names', async () => {
      const response = await request(gateway.port, 'GET', '/api/v1/a/hop-by-hop');
      for (const name of ['x-secret-hop', 'keep-alive', 'proxy-connection'])
        expect(response.values(name)).to.deep.equal([]);
      expect(response.values('connection')).to.deep.equal(['close']);
      expect(response.header('x-end-to-end')).to.equal('kept');
    });

    it('keeps field values byte for byte', async () => {
      const odd = 'caf\xe9  \x80\xff two  spaces\tand a tab, "quoted\\" \xc3\xa9';
      rawAnswer = `HTTP/1.1 200 OK\r\nX-Odd: ${odd}\r\nX-Twice: 1\r\nX-Twice: 2\r\nX-Empty:\r\nContent-Length: 0\r\n\r\n`;
      const response = await request(gateway.port, 'GET', '/api/v1/raw/x');
      expect(response.header('x-odd')).to.equal(odd);
      expect(response.values('x-twice').join(', ')).to.equal('1, 2');
      expect(response.values('x-empty')).to.deep.equal(['']);
    });

    it('103 Early Hints before the response', async () => {
      const { interim, responses } = await sendRaw(
        gateway.port,
        'GET /api/v1/a/early-hints HTTP/1.1\r\nHost: gateway.test\r\nConnection: close\r\n\r\n',
      );
      expect(interim.map((response) => response.status)).to.deep.equal([103]);
      expect(interim[0]?.header('link')).to.equal('</style.css>; rel=preload');
      expect(responses.map((response) => response.body.toString())).to.deep.equal(['hinted']);
    });

    it('no 1xx to an HTTP/1.0 client', async () => {
      const { interim, responses } = await sendRaw(
        gateway.port,
        'GET /api/v1/a/early-hints HTTP/1.0\r\nHost: gateway.test\r\n\r\n',
      );
      expect(interim).to.deep.equal([]);
      expect(responses[0]?.body.toString()).to.equal('hinted');
    });
  });

  describe('requests', () => {
    it('keeps field values byte for byte', async () => {
      const odd = 'caf\xe9  \x80\xff two  spaces\tand a tab, "quoted\\" \xc3\xa9';
      await request(gateway.port, 'GET', '/api/v1/a/x', [
        `X-Odd: ${odd}`,
        'X-Empty:',
        'X-Twice: 1',
        'X-Twice: 2',
        'Cookie: a=1; b=2',
      ]);
      expect(seen('x-odd')).to.deep.equal([odd]);
      expect(seen('x-empty')).to.deep.equal(['']);
      expect(seen('x-twice').join(', ')).to.equal('1, 2');
      expect(seen('cookie')).to.deep.equal(['a=1; b=2']);
    });

    it('sends no field twice, and none of its own making that the client did not send', async () => {
      await request(gateway.port, 'GET', '/api/v1/a/x');
      const names = (upstream.requests[0]?.rawHeaders ?? [])
        .filter((_, i) => i % 2 === 0)
        .map((name) => name.toLowerCase());
      expect(new Set(names).size).to.equal(names.length);
      const known =
        /^(host|connection|forwarded|x-forwarded-(for|proto|host|port)|x-request-id|x-real-ip|traceparent)$/;
      expect(names.filter((name) => !known.test(name))).to.deep.equal([]);
    });

    it('drops trailers of a request or passes them on, never into its fields', async () => {
      await request(
        gateway.port,
        'POST',
        '/api/v1/a/x',
        ['Transfer-Encoding: chunked', 'Trailer: x-late'],
        '5\r\nhello\r\n0\r\nX-Late: 1\r\nAuthorization: forged\r\n\r\n',
      );
      expect(upstream.requests[0]?.body.toString()).to.equal('hello');
      expect(seen('x-late')).to.deep.equal([]);
      expect(seen('authorization')).to.deep.equal([]);
    });

    it('a field that Connection names cannot take away what the gateway sets', async () => {
      await request(gateway.port, 'GET', '/api/v1/a/x', [
        'Connection: x-forwarded-for, x-request-id, host, forwarded, x-forwarded-proto',
      ]);
      for (const name of ['x-forwarded-for', 'x-request-id', 'host', 'forwarded', 'x-forwarded-proto']) {
        expect(seen(name), name).to.have.length(1);
      }
    });
  });
});
