import { expect } from 'chai';
import { type Authority, type Certificate, createAuthority } from '../support/certificates.js';
import { expectError } from '../support/error-format.js';
import { type RawConfig, service, startGateway } from '../support/gateway.js';
import { request } from '../support/raw-client.js';
import { startUpstream, type Upstream } from '../support/upstream.js';

describe('TLS towards the upstream', () => {
  let authority: Authority;
  let ca: Buffer;
  let open: Upstream;
  let closed: Upstream;
  let client: Certificate;

  before(async function () {
    this.timeout(20_000);
    authority = await createAuthority();
    ca = await authority.read(authority.cert);
    const named = await authority.issue('upstream', ['upstream.test']);
    client = await authority.issue('the gateway as a client');
    const identity = { key: await authority.read(named.key), cert: await authority.read(named.cert) };
    open = await startUpstream(undefined, identity);
    closed = await startUpstream(undefined, {
      ...identity,
      ca,
      requestCert: true,
      rejectUnauthorized: true,
    });
  });
  after(async () => {
    await open.close();
    await closed.close();
    await authority.discard();
  });

  async function statusWith(url: string, tls: RawConfig): Promise<number> {
    const gateway = await startGateway({ services: { a: service(url, { tls }) } });
    try {
      const response = await request(gateway.port, 'GET', '/api/v1/a/x');
      if (response.status >= 500) expectError(response);
      return response.status;
    } finally {
      await gateway.stop();
    }
  }

  it('a CA and a server name of one’s own', async () => {
    expect(await statusWith(open.url, { ca: authority.cert, servername: 'upstream.test' })).to.equal(200);
  });

  it('a CA that is unknown: 502', async () => {
    expect(await statusWith(open.url, { servername: 'upstream.test' })).to.equal(502);
  });

  it('a certificate for another name: 502', async () => {
    expect(await statusWith(open.url, { ca: authority.cert, servername: 'other.test' })).to.equal(502);
    expect(await statusWith(open.url, { ca: authority.cert })).to.equal(502);
  });

  it('verification off', async () => {
    expect(await statusWith(open.url, { verify: false })).to.equal(200);
  });

  it('a client certificate', async () => {
    const settings = { ca: authority.cert, servername: 'upstream.test' };
    expect(await statusWith(closed.url, { ...settings, cert: client.cert, key: client.key })).to.equal(200);
    expect(await statusWith(closed.url, settings)).to.equal(502);
  });
});
