import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { type DemoUpstreams, startDemoUpstreams } from '../../config/examples/demo/upstreams.js';
import { type GatewayCommand, startGatewayCommand } from '../support/gateway-command.js';

/*
 * The commands of the requirements as they stand there, in a shell, against `gateway start` in a process of its own.
 * Only localhost:8080 is replaced, by the port of the test.
 */

const run = promisify(execFile);
const servicesFile = fileURLToPath(new URL('../../config/services.yaml', import.meta.url));
/** Stands in for jq where it is not installed. */
const JQ = `command -v jq >/dev/null || jq() { node -p 'JSON.stringify(JSON.parse(fs.readFileSync(0, "utf8")))'; }`;
const DEFAULT_SERVICES = [
  'market-data-collector',
  'data-storage-service',
  'monitoring-service',
  'scheduler-service',
  'message-broker-service',
];

/** Runs a command of the requirements, and gives the JSON that it printed. */
async function answerOf({ port }: GatewayCommand, command: string): Promise<unknown> {
  const { stdout } = await run('sh', [
    '-c',
    `${JQ}\n${command.replaceAll('localhost:8080', `localhost:${port}`)}`,
  ]);
  return JSON.parse(stdout);
}

describe('the commands of the requirements', () => {
  let upstreams: DemoUpstreams;
  let gateway: GatewayCommand;

  before(async () => {
    upstreams = await startDemoUpstreams({ marketData: 0, dataStorage: 0 });
    gateway = await startGatewayCommand();
    // As the requirements register services; the sample services are not where the defaults look for them.
    await answerOf(
      gateway,
      `curl -X POST http://localhost:8080/api/v1/gateway/services -H "Content-Type: application/json" ` +
        `-d '{ "service_name": "market-data-collector", "host": "127.0.0.1", "port": ${new URL(upstreams.marketDataUrl).port} }'`,
    );
  });

  after(async () => {
    await upstreams.close();
    expect(await gateway.stop()).to.equal(0);
  });

  it('check the health', async () => {
    const answer = await answerOf(gateway, 'curl http://localhost:8080/health');
    expect(answer).to.include({ status: 'healthy', service: 'api-gateway' });
  });

  for (const command of [
    'curl http://localhost:8080/api/v1/gateway/status',
    'curl http://localhost:8080/api/v1/gateway/status | jq',
  ]) {
    it(`ask for the status: ${command}`, async () => {
      const answer = await answerOf(gateway, command);
      expect(answer).to.include({
        service: 'api-gateway',
        version: '1.0.0',
        status: 'running',
      });
      expect(answer).to.include.keys(
        'timestamp',
        'uptime',
        'registered_services',
        'active_circuit_breakers',
        'cache_size',
      );
      expect(answer)
        .to.have.property('config')
        .that.includes.keys('enable_auth', 'enable_rate_limiting', 'enable_circuit_breaker', 'cache_ttl');
    });
  }

  for (const command of [
    'curl http://localhost:8080/api/v1/gateway/services',
    'curl http://localhost:8080/api/v1/gateway/services | jq',
  ]) {
    it(`list the services: ${command}`, async () => {
      const answer = await answerOf(gateway, command);
      expect(answer).to.have.property('services').that.includes.keys(DEFAULT_SERVICES);
      expect(answer).to.have.property('total').that.is.at.least(DEFAULT_SERVICES.length);
      expect(answer).to.have.nested.property('services.data-storage-service').that.includes({
        host: 'localhost',
        port: 8082,
        base_url: 'http://localhost:8082',
      });
      expect(answer)
        .to.have.nested.property('services.data-storage-service')
        .that.includes.keys('healthy', 'last_health_check');
    });
  }

  it('register a service', async () => {
    const answer = await answerOf(
      gateway,
      `curl -X POST http://localhost:8080/api/v1/gateway/services \\
  -H "Content-Type: application/json" \\
  -d '{
    "service_name": "custom-service",
    "host": "localhost",
    "port": 8090
  }'`,
    );
    expect(answer).to.include({ service_name: 'custom-service', host: 'localhost', port: 8090 });
    const list = await answerOf(gateway, 'curl http://localhost:8080/api/v1/gateway/services');
    expect(list)
      .to.have.nested.property('services.custom-service')
      .that.includes({ base_url: 'http://localhost:8090' });
  });

  for (const header of ['Authorization: Bearer YOUR_TOKEN', 'X-API-Key: YOUR_API_KEY']) {
    it(`ask a service, with ${header}`, async () => {
      const answer = await answerOf(
        gateway,
        `curl -H "${header}" \\
  http://localhost:8080/api/v1/market-data-collector/status`,
      );
      expect(answer).to.include({ service: 'market-data-collector', status: 'running' });
    });
  }
});

describe('the configurations of the requirements', () => {
  const running: GatewayCommand[] = [];
  const start = async (...parameters: Parameters<typeof startGatewayCommand>) => {
    const gateway = await startGatewayCommand(...parameters);
    running.push(gateway);
    return gateway;
  };

  afterEach(async () => {
    await Promise.all(running.splice(0).map((gateway) => gateway.stop()));
  });

  it('start a gateway: the complete example, config/services.yaml', async () => {
    const gateway = await start(['--config', servicesFile]);
    const answer = await answerOf(gateway, 'curl http://localhost:8080/api/v1/gateway/services');
    expect(answer)
      .to.have.property('services')
      .that.has.all.keys('market-data-collector', 'data-storage-service');
  });

  it('start a gateway: the environment of the Kubernetes manifest', async () => {
    const gateway = await start([], {
      ENABLE_AUTH: 'true',
      JWT_SECRET: 'a secret of more than 32 characters',
    });
    const answer = await answerOf(gateway, 'curl http://localhost:8080/api/v1/gateway/status');
    expect(answer).to.have.nested.property('config.enable_auth', true);
  });
});
