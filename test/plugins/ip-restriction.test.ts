import { expect } from 'chai';
import ipRestriction from '../../plugins/ip-restriction/index.js';
import { runPlugin } from '../support/plugin-kit.js';

const PATH = '/api/v1/demo/echo';
const trusting = { settings: { trustedProxies: ['127.0.0.1'] } };

describe('ip-restriction', () => {
  it('lets only those in that are allowed', async () => {
    const allow = ['192.0.2.0/24', '2001:db8::/32', '198.51.100.7', '::ffff:203.0.113.0/120'];
    const { agent, upstream } = await runPlugin(ipRestriction, { allow }, trusting);
    const rows: [string, number][] = [
      ['192.0.2.9', 200],
      ['::ffff:192.0.2.9', 200],
      ['::ffff:c000:209', 200],
      ['192.0.3.9', 403],
      ['2001:db8:ffff::1', 200],
      ['2001:db9::1', 403],
      ['198.51.100.7', 200],
      ['198.51.100.8', 403],
      ['203.0.113.200', 200],
      ['203.0.114.1', 403],
      ['::1', 403],
    ];
    for (const [address, status] of rows) {
      const response = await agent.get(PATH).set('X-Forwarded-For', address);
      expect(response.status, address).to.equal(status);
    }
    expect(upstream.requests).to.have.length(rows.filter(([, status]) => status === 200).length);
  });

  it('keeps those out that are denied, also where they are allowed', async () => {
    const { agent } = await runPlugin(
      ipRestriction,
      { allow: ['10.0.0.0/8'], deny: ['10.1.0.0/16'] },
      trusting,
    );
    const from = (address: string) => agent.get(PATH).set('X-Forwarded-For', address);
    await from('10.2.0.1').expect(200);
    const { body } = await from('10.1.0.1').expect(403);
    expect(body).to.include({ code: 'FORBIDDEN', error: 'Access is not allowed' });
    await from('::ffff:10.1.0.1').expect(403);
    await from('192.0.2.1').expect(403);
  });

  it('lets everybody else in with a deny list alone', async () => {
    const { agent } = await runPlugin(ipRestriction, { deny: ['10.1.0.0/16'] }, trusting);
    await agent.get(PATH).set('X-Forwarded-For', '10.1.0.1').expect(403);
    await agent.get(PATH).set('X-Forwarded-For', '10.2.0.1').expect(200);
  });

  it('goes by the peer where nobody is trusted, time after time', async () => {
    const { agent } = await runPlugin(ipRestriction, { deny: ['127.0.0.1'] });
    await agent.get(PATH).set('X-Forwarded-For', '192.0.2.1').expect(403);
    await agent.get(PATH).set('Connection', 'keep-alive').expect(403);
  });

  it('costs nothing with empty lists', async () => {
    const { agent } = await runPlugin(ipRestriction);
    await agent.get(PATH).expect(200);
  });

  it('does not start with what is no address or range', async () => {
    const error = await runPlugin(ipRestriction, { allow: ['10.0.0.0/8', '10.0.0'] }).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(String(error))
      .to.contain('allow[1]')
      .and.to.contain("an address or a CIDR range like '10.0.0.0/8'");
  });
});
