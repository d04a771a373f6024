import { expect } from 'chai';
import accessLog from '../../plugins/access-log/index.js';
import { runPlugin } from '../support/plugin-kit.js';
import { until } from '../support/until.js';

describe('access-log', () => {
  it('writes the requirements’ line for a proxied request', async () => {
    const { agent, logLines, upstream } = await runPlugin(accessLog);
    const response = await agent.get('/api/v1/demo/echo?token=hidden').expect(200);
    await until('the line', () => logLines.some((line) => line.includes('"status"')));
    const line: unknown = JSON.parse(logLines.find((each) => each.includes('"status"')) ?? '{}');
    expect(line).to.include({
      level: 'INFO',
      logger: 'api-gateway',
      message: 'Request proxied successfully',
      service: 'demo',
      route: 'demo',
      method: 'GET',
      path: '/api/v1/demo/echo',
      status: 200,
      duration_ms: 0,
      request_id: response.headers['x-request-id'],
      target: upstream.url,
      attempts: 1,
    });
    expect(line)
      .to.have.property('timestamp')
      .that.matches(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(logLines.join('')).not.to.contain('hidden');
  });

  it('writes a line with the error code for what matches no route', async () => {
    const { agent, logLines } = await runPlugin(accessLog);
    await agent.get('/nowhere').expect(404);
    await until('the line', () => logLines.some((line) => line.includes('ROUTE_NOT_FOUND')));
  });
});
