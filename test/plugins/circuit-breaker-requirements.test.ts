import { expect } from 'chai';
import supertest from 'supertest';
import { parse } from 'yaml';
import { createGateway, type EmbeddedGateway } from '../../core/index.js';
import { catalogue } from '../../plugins/index.js';
import { FakeClock } from '../support/fake-clock.js';
import { startUpstream, type Upstream } from '../support/upstream.js';

/** The circuit-breaker section of the requirements, unchanged. */
const SECTION = `
## 熔断器配置

### 启用熔断器

\`\`\`yaml
api-gateway-service:
  enable_circuit_breaker: true
\`\`\`

### 熔断器状态

- **CLOSED**: 正常状态，请求正常通过
- **OPEN**: 熔断状态，直接返回错误
- **HALF_OPEN**: 半开状态，允许少量请求测试

### 配置参数

- 失败阈值：5次连续失败触发熔断
- 恢复超时：60秒后尝试恢复
- 自动检测：基于HTTP状态码和异常
`;

/** The error format of the requirements, unchanged. */
const ERROR_FORMAT = `
{
  "error": "Service temporarily unavailable",
  "code": "SERVICE_UNAVAILABLE",
  "timestamp": "2024-01-01T12:00:00Z",
  "request_id": "req-123456"
}
`;

/** What the requirements show of /stats, unchanged but for the sections of others. */
const STATS = `
{
  "request_stats": {
    "circuit_breaker_trips": 5
  },
  "circuit_breaker_stats": {
    "market-data-collector": {
      "state": "CLOSED",
      "failure_count": 0,
      "last_failure_time": null
    }
  }
}
`;

const [, YAML = ''] = /```yaml\n([\s\S]*?)```/.exec(SECTION) ?? [];
const [CLOSED, OPEN, HALF_OPEN] = [...SECTION.matchAll(/\*\*([A-Z_]+)\*\*/g)].map(([, state]) => state);
const FAILURES = Number(/(\d+)次连续失败/.exec(SECTION)?.[1]);
const RECOVERY = Number(/(\d+)秒后/.exec(SECTION)?.[1]) * 1000;
const PATH = '/api/v1/market-data-collector/status';

describe('circuit-breaker: the requirements’ own text', () => {
  let upstream: Upstream;
  let gateway: EmbeddedGateway;
  let agent: ReturnType<typeof supertest>;
  let clock: FakeClock;
  let status: number;
  let asked: number;

  beforeEach(async () => {
    status = 200;
    upstream = await startUpstream((_req, res) => {
      res.statusCode = status;
      res.end();
    });
    asked = 0;
    clock = new FakeClock();
    const { 'api-gateway-service': flat } = parse(YAML);
    const services = { 'market-data-collector': { host: '127.0.0.1', port: upstream.port, health: false } };
    // Without health checks: a clock that leaps over them makes the service look dead.
    const config = { 'api-gateway-service': { ...flat, port: 0, services, log_level: 'CRITICAL' } };
    gateway = createGateway(config, { catalogue, clock, env: {} });
    await gateway.start();
    agent = supertest(`http://127.0.0.1:${gateway.address().port}`);
  });

  afterEach(async () => {
    await gateway.stop();
    await upstream.close();
  });

  /** Never the same twice, so that no cache answers. */
  const ask = () => agent.get(`${PATH}?n=${asked++}`);
  const circuit = async () =>
    (await agent.get('/api/v1/gateway/stats').expect(200)).body.circuit_breaker_stats[
      'market-data-collector'
    ];

  it('holds: five failures in a row, 60 seconds, three states, as /stats shows them', async () => {
    expect([CLOSED, OPEN, HALF_OPEN, FAILURES, RECOVERY]).to.deep.equal([
      'CLOSED',
      'OPEN',
      'HALF_OPEN',
      5,
      60_000,
    ]);
    const shown = JSON.parse(STATS).circuit_breaker_stats['market-data-collector'];
    expect(await circuit()).to.deep.equal(shown);

    status = 500;
    for (let i = 1; i < FAILURES; i++) await ask().expect(500);
    expect(await circuit()).to.deep.include({ state: CLOSED, failure_count: FAILURES - 1 });
    await ask().expect(500);
    expect(await circuit()).to.deep.equal({
      state: OPEN,
      failure_count: FAILURES,
      last_failure_time: new Date(clock.now()).toISOString(),
    });

    status = 200;
    clock.tick(RECOVERY - 1);
    await ask().expect(503);
    expect(upstream.requests.length, 'an open circuit answers at once').to.equal(FAILURES);
    clock.tick(1);
    await ask().expect(200);
    expect(await circuit()).to.include({ state: HALF_OPEN });
    await ask().expect(200);
    await ask().expect(200);
    expect(await circuit()).to.include({ state: CLOSED, failure_count: 0 });

    const { body } = await agent.get('/api/v1/gateway/stats').expect(200);
    expect(Object.keys(body.request_stats)).to.include.members(Object.keys(JSON.parse(STATS).request_stats));
    expect(body.request_stats.circuit_breaker_trips).to.equal(1);
  });

  it('holds: an open circuit answers in the format of errors, and /status counts it', async () => {
    status = 503;
    for (let i = 0; i < FAILURES; i++) await ask().expect(503);
    const { body, headers } = await ask().expect(503);
    const { error, code, ...rest } = JSON.parse(ERROR_FORMAT);
    expect(body)
      .to.include({ error, code })
      .and.to.have.all.keys('error', 'code', ...Object.keys(rest));
    expect(body.timestamp).to.equal(new Date(clock.now()).toISOString());
    expect(headers['retry-after']).to.equal('60');
    const report = await agent.get('/api/v1/gateway/status').expect(200);
    expect(report.body.active_circuit_breakers).to.equal(1);
    expect(report.body.config.enable_circuit_breaker).to.equal(true);
  });
});
