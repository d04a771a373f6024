import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { startUpstream, type Upstream } from '../support/upstream.js';

const ROUNDS = 4;

describe('registrations', () => {
  let upstream: Upstream;
  let dataDirectory: string;
  let gateway: GatewayProcess | undefined;

  before(async () => {
    upstream = await startUpstream((_req, res) => {
      res.end('here');
    });
    dataDirectory = await mkdtemp(join(tmpdir(), 'registration-'));
  });
  after(async () => {
    await gateway?.kill();
    await upstream.close();
    await rm(dataDirectory, { recursive: true, force: true });
  });

  const url = (path: string) => `http://127.0.0.1:${gateway?.port}${path}`;
  const register = (name: string) =>
    fetch(url('/api/v1/gateway/services'), {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ service_name: name, targets: [upstream.url], health: false }),
    });

  it('that were acknowledged are there after a kill -9, round after round', async function () {
    this.timeout(40_000);
    const acknowledged: string[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      gateway = await startGatewayProcess({ dataDirectory, services: {} });
      for (const name of acknowledged) {
        const response = await fetch(url(`/api/v1/${name}/x`));
        expect(response.status, `${name} in round ${round}`).to.equal(200);
        expect(await response.text()).to.equal('here');
      }
      // Several at once, and the kill as soon as the first of them is acknowledged: the others may or may not be there.
      const names = [0, 1, 2, 3].map((index) => `service-${round}-${index}`);
      const answers = names.map(async (name) => {
        const { status } = await register(name);
        if (status !== 201) throw new Error(`${name} got ${status}`);
        acknowledged.push(name);
      });
      await Promise.race(answers);
      await gateway.kill();
      gateway = undefined;
      await Promise.allSettled(answers);
    }
    expect(acknowledged.length).to.be.at.least(ROUNDS);
  });
});
