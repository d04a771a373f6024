import { connect as connectHttp2, constants } from 'node:http2';
import { connect } from 'node:net';
import { expect } from 'chai';
import { createAuthority } from '../support/certificates.js';
import { request } from '../support/raw-client.js';
import { budgetOf, useTwoTargets } from '../support/two-targets.js';
import { until } from '../support/until.js';
import type { UpstreamHandler } from '../support/upstream.js';

describe('retries of statuses', () => {
  const targets = useTwoTargets();

  const refuse =
    (body: string, fields: Record<string, string> = {}): UpstreamHandler =>
    (_req, res) =>
      res.writeHead(503, fields).end(body);

  it('another target is asked, and the connection of the first is used again', async () => {
    targets.misbehave = refuse('x'.repeat(20_000));
    const gateway = await targets.gatewayWith(
      { on: ['5xx'] },
      { loadBalancing: { algorithm: 'consistent-hash' } },
    );
    let status = 0;
    for (let i = 0; i < 10; i += 1) {
      ({ status } = await request(gateway.port, 'GET', '/api/v1/a/x'));
      expect(status).to.equal(200);
      await until('the response to be read', () => targets.bad.activeRequests() === 0);
    }
    expect(new Set(targets.bad.requests.map(({ connection }) => connection)).size).to.be.at.most(1);
  });

  it('a long response of the first is broken off, not left', async () => {
    const block = Buffer.alloc(64 * 1024);
    let sent = 0;
    let closed = false;
    targets.misbehave = (_req, res) => {
      res.writeHead(503);
      const pump = () => {
        do sent += block.length;
        while (res.write(block));
      };
      res.on('drain', pump).on('close', () => {
        closed = true;
      });
      pump();
    };
    const gateway = await targets.gatewayWith({ on: [503] });
    expect((await request(gateway.port, 'GET', '/api/v1/a/x')).status).to.equal(200);
    await until('the response to be broken off', () => closed, 1000);
    // What the sockets in between hold, at most.
    expect(sent).to.be.below(50_000_000);
  });

  it('a response of the first that never ends is broken off, not left', async () => {
    targets.misbehave = (_req, res) => {
      res.writeHead(503);
      res.write('and so on');
    };
    const gateway = await targets.gatewayWith({ on: [503] });
    expect((await request(gateway.port, 'GET', '/api/v1/a/x')).status).to.equal(200);
    await until('the response to be ended', () => targets.bad.activeRequests() === 0);
  });

  it('the last response is passed on as it is', async () => {
    targets.misbehave = refuse('sorry', { 'x-reason': 'full' });
    const gateway = await targets.gatewayWith({ attempts: 3, on: [503] }, {}, [targets.bad.url]);
    const response = await request(gateway.port, 'GET', '/api/v1/a/x');
    expect(response.status).to.equal(503);
    expect(response.body.toString()).to.equal('sorry');
    expect(response.header('x-reason')).to.equal('full');
    expect(targets.bad.requests).to.have.length(3);
  });

  it('POST is not repeated', async () => {
    targets.misbehave = refuse('no');
    const gateway = await targets.gatewayWith({ on: [503] });
    expect((await request(gateway.port, 'POST', '/api/v1/a/x', ['Content-Length: 0'])).status).to.equal(503);
    expect(targets.good.requests).to.deep.equal([]);
  });

  it('Retry-After is waited for', async () => {
    targets.misbehave = refuse('', { 'retry-after': '1' });
    const gateway = await targets.gatewayWith({ on: [503], retryAfterMax: '1s' });
    const started = performance.now();
    expect((await request(gateway.port, 'GET', '/api/v1/a/x')).status).to.equal(200);
    expect(performance.now() - started).to.be.within(990, 2500);
  });

  it('Retry-After beyond the limit is passed on', async () => {
    targets.misbehave = refuse('later', { 'retry-after': new Date(Date.now() + 60_000).toUTCString() });
    const gateway = await targets.gatewayWith({ on: [503], retryAfterMax: '1s' });
    const response = await request(gateway.port, 'GET', '/api/v1/a/x');
    expect([response.status, response.body.toString()]).to.deep.equal([503, 'later']);
    expect(targets.good.requests).to.deep.equal([]);
  });

  it('a client that leaves during the wait ends it', async () => {
    targets.misbehave = refuse('', { 'retry-after': '1' });
    const gateway = await targets.gatewayWith({ on: [503] });
    const connection = connect(gateway.port, '127.0.0.1');
    connection.write('GET /api/v1/a/x HTTP/1.1\r\nHost: a\r\n\r\n');
    await until('the wait', () => budgetOf(gateway).underWay === 1 && targets.bad.activeRequests() === 0);
    connection.resetAndDestroy();
    await until('the wait to end', () => budgetOf(gateway).underWay === 0, 500);
    expect(targets.good.requests).to.deep.equal([]);
    expect(budgetOf(gateway).retries).to.equal(0);
  });

  it('a client of HTTP/2 that leaves during a wait ends it', async function () {
    this.timeout(20_000);
    const authority = await createAuthority();
    try {
      targets.misbehave = (_req, res) => res.writeHead(503, { 'retry-after': '1' }).end();
      const gateway = await targets.startGateway({
        services: {
          a: { targets: [targets.bad.url, targets.good.url], health: false, retries: { on: [503] } },
        },
        tls: await authority.issue('gateway', ['localhost']),
      });
      const ca = await authority.read(authority.cert);
      const session = connectHttp2(`https://localhost:${gateway.port}`, { ca });
      const stream = session.request({ ':path': '/api/v1/a/x' });
      stream.on('error', () => undefined);
      await until('the wait', () => budgetOf(gateway).underWay === 1 && targets.bad.activeRequests() === 0);
      stream.close(constants.NGHTTP2_CANCEL);
      await until('the wait to end', () => budgetOf(gateway).underWay === 0, 500);
      session.destroy();
      expect(targets.good.requests).to.deep.equal([]);
    } finally {
      await authority.discard();
    }
  });
});
