import { expect } from 'chai';
import readOnly from '../../config/examples/plugins/read-only/index.js';
import { runPlugin } from '../support/plugin-kit.js';

describe('read-only', () => {
  it('refuses what would change something, and says when to come back', async () => {
    const { agent, upstream } = await runPlugin(readOnly, { retryAfter: '2m' });
    await agent.get('/api/v1/demo/echo').expect(200);
    await agent.post('/api/v1/demo/echo').send({ price: 1 }).expect(503).expect('Retry-After', '120');
    expect(upstream.requests.map(({ method }) => method)).to.deep.equal(['GET']);
  });

  it('can be switched off for a service', async () => {
    const service = { plugins: { 'read-only': false } };
    const { agent } = await runPlugin(readOnly, {}, { service });
    await agent.post('/api/v1/demo/echo').send({ price: 1 }).expect(200);
  });
});
