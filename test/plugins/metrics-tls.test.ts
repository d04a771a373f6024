import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { expect } from 'chai';
import { catalogue } from '../../plugins/index.js';
import { type Authority, createAuthority } from '../support/certificates.js';
import { type RunningGateway, service, startGateway } from '../support/gateway.js';
import { fetchHttp2, getHttps } from '../support/tls-client.js';
import { until } from '../support/until.js';
import { startUpstream, type Upstream } from '../support/upstream.js';
import { Scrape } from './metrics-support.js';

describe('metrics over TLS', function () {
  this.timeout(20_000);
  let authority: Authority;
  let ca: Buffer;
  let upstream: Upstream;
  let gateway: RunningGateway;
  let session: ClientHttp2Session;

  before(async () => {
    authority = await createAuthority();
    ca = await authority.read(authority.cert);
    const certificate = await authority.issue('gateway', ['localhost']);
    upstream = await startUpstream();
    gateway = await startGateway(
      {
        services: { a: service(upstream.url), b: service(upstream.url) },
        tls: certificate,
        plugins: ['metrics'],
      },
      { catalogue },
    );
    session = connectHttp2(`https://localhost:${gateway.port}`, { ca });
    session.on('error', () => undefined);
  });

  after(async () => {
    session.destroy();
    await gateway.stop();
    await upstream.close();
    await authority.discard();
  });

  async function scraped(): Promise<Scrape> {
    const { body } = await getHttps(gateway.port, ca, '/metrics');
    return new Scrape(body, '');
  }

  it('count requests and bytes of HTTP/2 as of HTTP/1.1', async () => {
    await getHttps(gateway.port, ca, '/api/v1/a/large?bytes=100000');
    const { body } = await fetchHttp2(
      session,
      { ':method': 'POST', ':path': '/api/v1/b/echo', 'content-length': '50000' },
      'x'.repeat(50_000),
    );
    expect(body).to.include('POST');
    await fetchHttp2(session, { ':path': '/api/v1/b/large?bytes=100000' });
    let found = await scraped();
    await until('all to be counted', async () => {
      found = await scraped();
      return found.sum('gateway_requests_total') >= 3;
    });
    expect(found.sum('gateway_requests_total', { service: 'a', status: '200' })).to.equal(1);
    expect(found.sum('gateway_requests_total', { service: 'b', status: '200' })).to.equal(2);
    expect(found.sum('gateway_sent_bytes_total', { service: 'a' })).to.be.within(100_000, 102_000);
    expect(found.sum('gateway_sent_bytes_total', { service: 'b' })).to.equal(100_000 + body.length);
    expect(found.sum('gateway_received_bytes_total', { service: 'a' })).to.be.within(50, 500);
    expect(found.sum('gateway_received_bytes_total', { service: 'b' })).to.equal(50_000);
  });

  it('count HTTP/2 streams that their client gave up, or whose upstream broke off', async () => {
    const stream = session.request({ ':path': '/api/v1/a/slow' });
    stream.on('error', () => undefined);
    await until('the request to be under way', () => upstream.activeRequests() === 1);
    stream.close(8);
    await until('it to be counted', async () => {
      const found = await scraped();

      return found.sum('gateway_requests_total', { status: '499', code: 'CLIENT_CLOSED_REQUEST' }) === 1;
    });
    await until('the upstream to be let go', () => upstream.activeRequests() === 0);
    const broken = await fetchHttp2(session, { ':path': '/api/v1/b/break' }).catch(() => undefined);
    expect(broken).to.equal(undefined);
    await until('that to be counted', async () => {
      const found = await scraped();
      return found.sum('gateway_requests_total', { status: '200', code: 'BAD_GATEWAY' }) === 1;
    });
    const found = await scraped();
    for (const { name, value } of found.samples) expect(Number.isNaN(value), name).to.equal(false);
  });
});
