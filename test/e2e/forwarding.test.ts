import { expect } from 'chai';
import { type RunningGateway, service, startGateway } from '../support/gateway.js';
import { RawConnection, request } from '../support/raw-client.js';
import {
  answering,
  fieldValues,
  startRawUpstream,
  startUpstream,
  type Upstream,
} from '../support/upstream.js';

/** What a client says of itself, whether it is true or not. */
const CLAIMS = [
  'X-Forwarded-For: 192.0.2.7',
  'X-Forwarded-Proto: https',
  'X-Forwarded-Host: shop.example',
  'X-Forwarded-Port: 8443',
  'Forwarded: for=192.0.2.7;proto=https;host=shop.example',
  'X-Request-Id: req-from-outside',
];

describe('forwarding fields', () => {
  let upstream: Upstream;
  let plain: RunningGateway;
  let trusting: RunningGateway;

  before(async () => {
    upstream = await startUpstream();
    const services = { a: service(upstream.url) };
    plain = await startGateway({ services });
    trusting = await startGateway({ services, trustedProxies: ['127.0.0.0/8', '10.0.0.0/8'], via: 'edge' });
  });
  after(async () => {
    await plain.stop();
    await trusting.stop();
    await upstream.close();
  });
  beforeEach(() => {
    upstream.requests.length = 0;
  });

  const seen = (name: string) => fieldValues(upstream.requests[0]?.rawHeaders ?? [], name);

  it('are set', async () => {
    await request(plain.port, 'GET', '/api/v1/a/x');
    expect(seen('x-forwarded-for')).to.deep.equal(['127.0.0.1']);
    expect(seen('x-forwarded-proto')).to.deep.equal(['http']);
    expect(seen('x-forwarded-host')).to.deep.equal(['gateway.test']);
    expect(seen('x-forwarded-port')).to.have.length(1);
    expect(seen('x-forwarded-port')[0]).to.be.oneOf([String(plain.port), '80']);
    expect(seen('x-request-id')).to.have.length(1);
    expect(elements(seen('forwarded'))).to.deep.equal([
      { for: '127.0.0.1', host: 'gateway.test', proto: 'http' },
    ]);
  });

  it('name no host where an HTTP/1.0 client names none', async () => {
    const connection = await RawConnection.open(plain.port);
    connection.send('GET /api/v1/a/x HTTP/1.0\r\n\r\n');
    await connection.closure();
    expect(seen('x-forwarded-host')).to.deep.equal([]);
    expect(elements(seen('forwarded'))).to.deep.equal([{ for: '127.0.0.1', proto: 'http' }]);
  });

  it('of an untrusted peer are replaced', async () => {
    const response = await request(plain.port, 'GET', '/api/v1/a/x', [
      ...CLAIMS,
      'X-Forwarded-For: 192.0.2.8',
    ]);
    expect(seen('x-forwarded-for')).to.deep.equal(['127.0.0.1']);
    expect(seen('x-forwarded-proto')).to.deep.equal(['http']);
    expect(seen('x-forwarded-host')).to.deep.equal(['gateway.test']);
    expect(seen('x-forwarded-port')[0]).not.to.equal('8443');
    expect(elements(seen('forwarded'))).to.deep.equal([
      { for: '127.0.0.1', host: 'gateway.test', proto: 'http' },
    ]);
    expect(seen('x-request-id')).to.have.length(1);
    expect(seen('x-request-id')[0]).not.to.equal('req-from-outside');
    expect(response.header('x-request-id')).to.equal(seen('x-request-id')[0]);
  });

  it('of a trusted proxy are kept and appended to', async () => {
    const response = await request(trusting.port, 'GET', '/api/v1/a/x', CLAIMS);
    expect(seen('x-forwarded-for').join(', ')).to.equal('192.0.2.7, 127.0.0.1');
    expect(seen('x-forwarded-proto')).to.deep.equal(['https']);
    expect(seen('x-forwarded-host')).to.deep.equal(['shop.example']);
    expect(seen('x-forwarded-port')).to.deep.equal(['8443']);
    const [first, second, ...more] = elements(seen('forwarded'));
    expect(first).to.deep.equal({ for: '192.0.2.7', proto: 'https', host: 'shop.example' });
    expect(second).to.include({ for: '127.0.0.1' });
    expect(more).to.deep.equal([]);
    expect(seen('x-request-id')).to.deep.equal(['req-from-outside']);
    expect(response.header('x-request-id')).to.equal('req-from-outside');
  });

  it('of a chain are kept in their order', async () => {
    await request(trusting.port, 'GET', '/api/v1/a/x', [
      'X-Forwarded-For: 192.0.2.7, 10.1.2.3',
      'X-Forwarded-For: 10.4.5.6',
    ]);
    expect(seen('x-forwarded-for').join(', ')).to.equal('192.0.2.7, 10.1.2.3, 10.4.5.6, 127.0.0.1');
  });

  it('of a trusted proxy that only knows X-Forwarded-* are in Forwarded too', async () => {
    await request(trusting.port, 'GET', '/api/v1/a/x', [
      'X-Forwarded-For: 192.0.2.7, 2001:db8::1, a"b',
      'X-Forwarded-Host: shop.example',
      'X-Forwarded-Proto: https',
    ]);
    expect(seen('forwarded')).to.deep.equal([
      'for=192.0.2.7;host="shop.example";proto=https, for="[2001:db8::1]", for=unknown, ' +
        'for=127.0.0.1;host="gateway.test";proto=https',
    ]);
  });

  it('are set for a trusted proxy that says nothing', async () => {
    await request(trusting.port, 'GET', '/api/v1/a/x');
    expect(seen('x-forwarded-for')).to.deep.equal(['127.0.0.1']);
    expect(seen('x-forwarded-proto')).to.deep.equal(['http']);
    expect(seen('x-forwarded-host')).to.deep.equal(['gateway.test']);
  });

  for (const id of ['a b', 'x'.repeat(1000), 'caf\xe9', '']) {
    it(`take no request id that could do harm from a trusted proxy: ${JSON.stringify(id.slice(0, 20))}`, async () => {
      const response = await request(trusting.port, 'GET', '/api/v1/a/x', [`X-Request-Id: ${id}`]);
      expect(seen('x-request-id')).to.have.length(1);
      expect(seen('x-request-id')[0]).not.to.equal(id);
      expect(response.header('x-request-id')).to.equal(seen('x-request-id')[0]);
    });
  }

  it('give every request an id of its own', async () => {
    for (let i = 0; i < 20; i += 1) await request(plain.port, 'GET', '/api/v1/a/x');
    expect(
      new Set(upstream.requests.flatMap((r) => fieldValues(r.rawHeaders, 'x-request-id'))).size,
    ).to.equal(20);
  });

  describe('on responses', () => {
    for (const target of ['x', 'status/500', 'no-content', 'not-modified', 'chunked', 'sse', 'empty']) {
      it(`/${target} carries X-Gateway-Service, X-Gateway-Timestamp and X-Request-Id`, async () => {
        const response = await request(plain.port, 'GET', `/api/v1/a/${target}`);
        expect(response.header('x-gateway-service')).to.equal('a');
        expect(Date.parse(response.header('x-gateway-timestamp') ?? '')).to.be.closeTo(Date.now(), 60_000);
        expect(response.header('x-request-id')).to.equal(seen('x-request-id')[0]);
      });
    }

    it('replace those that the upstream sent', async () => {
      const lying = await startRawUpstream(
        answering(
          'HTTP/1.1 200 OK\r\nX-Gateway-Service: evil\r\nX-Gateway-Timestamp: never\r\nX-Request-Id: other\r\nContent-Length: 0\r\n\r\n',
        ),
      );
      const own = await startGateway({ services: { a: service(lying.url) } });
      try {
        const response = await request(own.port, 'GET', '/api/v1/a/x');
        expect(response.header('x-gateway-service')).to.equal('a');
        expect(response.header('x-gateway-timestamp')).not.to.equal('never');
        expect(response.header('x-request-id')).not.to.equal('other');
      } finally {
        await own.stop();
        await lying.close();
      }
    });
  });

  describe('Via', () => {
    it('is not sent unless the configuration names a pseudonym', async () => {
      const response = await request(plain.port, 'GET', '/api/v1/a/x');
      expect(seen('via')).to.deep.equal([]);
      expect(response.values('via')).to.deep.equal([]);
    });

    it('is appended to requests, and at most to responses (RFC 9110 section 7.6.3)', async () => {
      const response = await request(trusting.port, 'GET', '/api/v1/a/x', ['Via: 1.0 outer']);
      expect(seen('via').join(', ')).to.equal('1.0 outer, 1.1 edge');
      expect(response.values('via').join(', ')).to.be.oneOf(['', '1.1 edge']);
    });
  });
});

/** The elements of `Forwarded` (RFC 7239 section 4): parameters by name. */
function elements(values: readonly string[]): Record<string, string>[] {
  return values
    .join(', ')
    .split(/\s*,\s*/)
    .map((element) =>
      Object.fromEntries(
        element.split(';').map((pair) => {
          const [name = '', value = ''] = pair.split('=', 2);
          return [name.trim().toLowerCase(), value.trim().replace(/^"(.*)"$/, '$1')];
        }),
      ),
    );
}
