import { type ClientHttp2Session, connect as connectHttp2, constants } from 'node:http2';
import { expect } from 'chai';
import { type Authority, type Certificate, createAuthority } from '../support/certificates.js';
import { type RunningGateway, service, startGateway } from '../support/gateway.js';
import { fetchHttp2, getHttps, handshake } from '../support/tls-client.js';
import { until } from '../support/until.js';
import { fieldValues, startUpstream, type Upstream } from '../support/upstream.js';

describe('TLS towards clients', () => {
  let authority: Authority;
  let ca: Buffer;
  let certificate: Certificate;

  let upstream: Upstream;
  let gateway: RunningGateway;
  let session: ClientHttp2Session;

  before(async function () {
    this.timeout(20_000);
    authority = await createAuthority();
    ca = await authority.read(authority.cert);
    certificate = await authority.issue('gateway', ['gateway.test', 'localhost', '127.0.0.1']);
    const one = await authority.issue('one', ['one.test']);
    const wild = await authority.issue('wild', ['*.wild.test']);
    upstream = await startUpstream();
    gateway = await startGateway({
      services: { a: service(upstream.url) },
      tls: {
        ...certificate,
        sni: [
          { hosts: ['one.test'], ...one },
          { hosts: ['*.wild.test'], ...wild },
        ],
      },
    });
    session = connectHttp2(`https://localhost:${gateway.port}`, { ca });
    session.on('error', () => undefined);
  });
  after(async () => {
    session.destroy();
    await gateway.stop();
    await upstream.close();
    await authority.discard();
  });
  beforeEach(() => {
    upstream.requests.length = 0;
  });

  const seen = (name: string) => fieldValues(upstream.requests[0]?.rawHeaders ?? [], name);

  it('HTTP/1.1', async () => {
    const { status, body, alpn } = await getHttps(gateway.port, ca, '/api/v1/a/x');
    expect({ status, alpn }).to.deep.equal({ status: 200, alpn: 'http/1.1' });
    expect(JSON.parse(body)).to.include({ method: 'GET', url: '/api/v1/x' });
    expect(seen('x-forwarded-proto')).to.deep.equal(['https']);
    expect(seen('forwarded').join()).to.match(/proto="?https/);
  });

  it('HTTP/2', async () => {
    const { headers, body } = await fetchHttp2(session, { ':path': '/api/v1/a/x?y=1', 'x-mine': '1' });
    expect(session.alpnProtocol).to.equal('h2');
    expect(headers[':status']).to.equal(200);
    expect(headers['x-gateway-service']).to.equal('a');
    expect(headers['x-request-id']).to.be.a('string');
    expect(JSON.parse(body)).to.include({ method: 'GET', url: '/api/v1/x?y=1' });
    expect(seen('host')).to.deep.equal([`127.0.0.1:${upstream.port}`]);
    expect(seen('x-forwarded-proto')).to.deep.equal(['https']);
    expect(seen('x-forwarded-host')).to.deep.equal([`localhost:${gateway.port}`]);
    expect(seen('x-mine')).to.deep.equal(['1']);
    expect(upstream.requests[0]?.rawHeaders.filter((part) => part.startsWith(':'))).to.deep.equal([]);
  });

  it('HTTP/2: a body without a length is chunked to the upstream', async () => {
    const { headers } = await fetchHttp2(session, { ':path': '/api/v1/a/x', ':method': 'POST' }, 'hello');
    expect(headers[':status']).to.equal(200);
    expect(upstream.requests[0]).to.include({ method: 'POST', framing: 'chunked', bodyLength: 5 });
  });

  it('HTTP/2: a body with a length', async () => {
    const head = { ':path': '/api/v1/a/x', ':method': 'PUT', 'content-length': '5' };
    await fetchHttp2(session, head, 'hello');
    expect(upstream.requests[0]).to.include({ method: 'PUT', framing: 'length', bodyLength: 5 });
  });

  for (const [name, content] of [
    ['longer', 'hello, and more'],
    ['shorter', 'hell'],
  ] as const) {
    it(`HTTP/2: a body ${name} than its length never becomes a whole request (RFC 9113 section 8.1.1)`, async () => {
      const head = { ':path': '/api/v1/a/x', ':method': 'POST', 'content-length': '5' };
      const outcome = await fetchHttp2(session, head, content).then(
        ({ headers }) => headers[':status'],
        () => 'reset',
      );
      expect(outcome).to.be.oneOf(['reset', 400]);
      await until('the upstream to be at rest', () => upstream.activeRequests() === 0);
      expect(upstream.requests.filter((request) => request.complete)).to.deep.equal([]);
      expect((await fetchHttp2(session, { ':path': '/api/v1/a/x' })).headers[':status']).to.equal(200);
    });
  }

  it('HTTP/2: a Host that differs from :authority has no say (RFC 9113 section 8.3.1)', async () => {
    const { headers } = await fetchHttp2(session, {
      ':path': '/api/v1/a/x',
      ':authority': 'shop.test',
      host: 'evil.test',
    });
    if (headers[':status'] === 200) expect(seen('x-forwarded-host')).to.deep.equal(['shop.test']);
    else expect(headers[':status']).to.equal(400);
  });

  for (const authority of ['a/b', 'user@shop.test', 'a b', 'a,b']) {
    it(`HTTP/2: the authority '${authority}' is refused`, async () => {
      const outcome = await fetchHttp2(session, { ':path': '/api/v1/a/x', ':authority': authority }).then(
        ({ headers }) => headers[':status'],
        () => 'reset',
      );
      expect(outcome).to.be.oneOf(['reset', 400]);
      expect(upstream.requests).to.deep.equal([]);
    });
  }

  it('HTTP/2: cookie crumbs become one Cookie (RFC 9113 section 8.2.3)', async () => {
    await fetchHttp2(session, { ':path': '/api/v1/a/x', cookie: ['a=1', 'b=2'] });
    expect(seen('cookie')).to.deep.equal(['a=1; b=2']);
  });

  it('HTTP/2: several Set-Cookie, and no hop-by-hop field', async () => {
    const { headers } = await fetchHttp2(session, { ':path': '/api/v1/a/cookies' });
    expect(headers['set-cookie']).to.have.length(3);
    const hop = await fetchHttp2(session, { ':path': '/api/v1/a/hop-by-hop' });
    expect(hop.headers[':status']).to.equal(200);
    for (const name of ['connection', 'keep-alive', 'x-secret-hop', 'transfer-encoding']) {
      expect(hop.headers).not.to.have.property(name);
    }
  });

  for (const target of [
    'no-content',
    'not-modified',
    'chunked',
    'empty',
    'sse',
    'trailers',
    'large?bytes=1000000',
  ]) {
    it(`HTTP/2: /${target}`, async () => {
      const { headers, body } = await fetchHttp2(session, { ':path': `/api/v1/a/${target}` });
      expect(headers[':status']).to.be.oneOf([200, 204, 304]);
      if (target.startsWith('large')) expect(body).to.have.length(1_000_000);
      if (target === 'chunked') expect(body).to.equal('one,two,three');
    });
  }

  it('HTTP/2: HEAD', async () => {
    const { headers, body } = await fetchHttp2(session, { ':path': '/api/v1/a/large', ':method': 'HEAD' });
    expect({ status: headers[':status'], length: headers['content-length'], body }).to.deep.equal({
      status: 200,
      length: '1024',
      body: '',
    });
  });

  it('HTTP/2: errors', async () => {
    const { headers, body } = await fetchHttp2(session, { ':path': '/api/v1/nobody/x' });
    expect(headers[':status']).to.equal(404);
    expect(JSON.parse(body)).to.include.keys('error', 'code', 'timestamp', 'request_id');
    const dots = await fetchHttp2(session, { ':path': '/api/v1/a/../gateway/services' });
    expect(dots.headers[':status']).to.equal(400);
    expect(upstream.requests).to.deep.equal([]);
  });

  it('HTTP/2: many streams at a time', async () => {
    const all = await Promise.all(
      Array.from({ length: 50 }, (_, i) => fetchHttp2(session, { ':path': `/api/v1/a/n${i}` })),
    );
    expect(all.map(({ body }) => JSON.parse(body).url)).to.deep.equal(all.map((_, i) => `/api/v1/n${i}`));
  });

  it('HTTP/2: a stream that is reset cancels the upstream request', async () => {
    const stream = session.request({ ':path': '/api/v1/a/slow' });
    stream.on('error', () => undefined);
    await until('the request at the upstream', () => upstream.activeRequests() === 1);
    stream.close(constants.NGHTTP2_CANCEL);
    await until('the upstream request to be cancelled', () => upstream.activeRequests() === 0);
    expect((await fetchHttp2(session, { ':path': '/api/v1/a/x' })).headers[':status']).to.equal(200);
  });

  it('HTTP/2: an upstream that breaks off resets the stream', async () => {
    const outcome = await fetchHttp2(session, { ':path': '/api/v1/a/break?chunked=1' }).then(
      () => 'a clean end',
      () => 'an error',
    );
    expect(outcome).to.equal('an error');
    expect((await fetchHttp2(session, { ':path': '/api/v1/a/x' })).headers[':status']).to.equal(200);
  });

  const names: readonly [servername: string, commonName: string][] = [
    ['one.test', 'one'],
    ['ONE.test', 'one'],
    ['x.wild.test', 'wild'],
    ['x.y.wild.test', 'gateway'],
    ['wild.test', 'gateway'],
    ['gateway.test', 'gateway'],
    ['unknown.test', 'gateway'],
  ];
  for (const [servername, commonName] of names) {
    it(`shows the certificate '${commonName}' for ${servername}`, async () => {
      const socket = await handshake(gateway.port, { servername });
      expect(socket.getPeerCertificate().subject.CN).to.equal(commonName);
      socket.destroy();
    });
  }

  it('shows the first certificate to a client without SNI', async () => {
    const socket = await handshake(gateway.port, { servername: '' });
    expect(socket.getPeerCertificate().subject.CN).to.equal('gateway');
    socket.destroy();
  });

  it('speaks no TLS 1.1', async () => {
    const failure = await handshake(gateway.port, { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1' }).then(
      () => 'connected',
      () => 'refused',
    );
    expect(failure).to.equal('refused');
  });

  it('http2: false offers HTTP/1.1 alone', async () => {
    const own = await startGateway({
      services: { a: service(upstream.url) },
      tls: { ...certificate, http2: false },
    });
    try {
      const socket = await handshake(own.port, { ALPNProtocols: ['h2', 'http/1.1'] });
      expect(socket.alpnProtocol).to.equal('http/1.1');
      socket.destroy();
      expect((await getHttps(own.port, ca, '/api/v1/a/x')).status).to.equal(200);
    } finally {
      await own.stop();
    }
  });
});
