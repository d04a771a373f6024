import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { DamagedFileError } from '../../core/index.js';
import accessLog from '../../plugins/access-log/index.js';
import authApiKey from '../../plugins/auth-apikey/index.js';
import { type PluginKit, runPlugin } from '../support/plugin-kit.js';
import { fieldValues } from '../support/upstream.js';

const KEYS = '/api/v1/gateway/api-keys';
const PATH = '/api/v1/demo/echo';
const configured = { id: 'c-1', consumer: 'carol', name: 'fixed', key: 'a-key-of-the-configuration' };

async function create(kit: PluginKit, more: object = {}): Promise<{ id: string; key: string }> {
  const response = await kit.agent
    .post(KEYS)
    .send({ consumer: 'alice', name: 'mobile', ...more })
    .expect(201);
  return response.body;
}

const statusWith = async (kit: PluginKit, key: string) =>
  (await kit.agent.get(PATH).set('X-API-Key', key)).status;

describe('auth-apikey: keys made at run time', () => {
  const directories: string[] = [];
  /** A data directory that outlives a gateway. */
  async function dataDirectory(): Promise<string> {
    const directory = await mkdtemp(join(tmpdir(), 'auth-apikey-'));
    directories.push(directory);
    return join(directory, 'data');
  }
  const runIn = (directory: string, options: object = {}) =>
    runPlugin(authApiKey, options, { settings: { dataDirectory: directory } });
  afterEach(async () => {
    for (const each of directories.splice(0)) await rm(each, { recursive: true, force: true });
  });

  it('are shown once, and open the gateway', async () => {
    const kit = await runPlugin(authApiKey);
    const response = await kit.agent
      .post(KEYS)
      .send({
        consumer: 'alice',
        name: 'mobile app',
        services: ['demo'],
        methods: ['GET', 'POST'],
        rateLimit: { requests: 1000, window: '1m' },
        expiresIn: '1h',
      })
      .expect(201);
    const { id, key, ...rest } = response.body;
    expect(key).to.match(/^gw_[A-Za-z0-9_-]{43}$/);
    expect(id).to.match(/^key_[0-9a-f]{24}$/);
    expect(rest).to.deep.equal({
      consumer: 'alice',
      name: 'mobile app',
      prefix: key.slice(0, 10),
      origin: 'runtime',
      status: 'active',
      services: ['demo'],
      methods: ['GET', 'POST'],
      rateLimit: { requests: 1000, window: 60 },
      expiresAt: '2024-01-01T13:00:00.000Z',
      createdAt: '2024-01-01T12:00:00.000Z',
      rotatedAt: null,
      previous: null,
    });
    expect(response.headers.location).to.equal(`${KEYS}/${id}`);
    expect(response.headers['cache-control']).to.equal('no-store');
    await kit.agent.get(PATH).set('X-API-Key', key).expect(200);
    const head = kit.upstream.requests.at(-1)?.rawHeaders ?? [];
    expect(fieldValues(head, 'x-consumer-id')).to.deep.equal(['alice']);
    expect(fieldValues(head, 'x-credential-id')).to.deep.equal([id]);
    await kit.agent.delete(PATH).set('X-API-Key', key).expect(403);
    const shown = await kit.agent.get(`${KEYS}/${id}`).expect(200);
    expect(shown.body).to.deep.equal({ id, ...rest });
  });

  it('are listed with those of the configuration, which cannot be changed', async () => {
    const kit = await runPlugin(authApiKey, { keys: [configured] });
    const { id } = await create(kit);
    const { body } = await kit.agent.get(KEYS).expect(200);
    expect(body.total).to.equal(2);
    expect(body.keys.map((each: { id: string }) => each.id)).to.deep.equal(['c-1', id]);
    expect(body.keys[0]).to.include({ origin: 'configuration', consumer: 'carol', prefix: null });
    await kit.agent.get(`${KEYS}/c-1`).expect(200);
    await kit.agent.delete(`${KEYS}/c-1`).expect(409);
    await kit.agent.post(`${KEYS}/c-1/rotate`).expect(409);
    expect(await statusWith(kit, configured.key)).to.equal(200);
  });

  it('end when they are revoked', async () => {
    const kit = await runPlugin(authApiKey);
    const { id, key } = await create(kit);
    await kit.agent.delete(`${KEYS}/${id}`).expect(204);
    expect(await statusWith(kit, key)).to.equal(401);
    await kit.agent.get(`${KEYS}/${id}`).expect(404);
    await kit.agent.delete(`${KEYS}/${id}`).expect(404);
    await kit.agent.post(`${KEYS}/${id}/rotate`).expect(404);
  });

  it('end when they expire, and stay listed', async () => {
    const kit = await runPlugin(authApiKey);
    const { id, key } = await create(kit, { expiresAt: '2024-01-01T14:00:01+02:00' });
    expect(await statusWith(kit, key)).to.equal(200);
    kit.clock.tick(1000);
    expect(await statusWith(kit, key)).to.equal(401);
    const { body } = await kit.agent.get(`${KEYS}/${id}`).expect(200);
    expect(body.status).to.equal('expired');
    await kit.agent.post(`${KEYS}/${id}/rotate`).expect(409);
  });

  it('are rotated with an overlap', async () => {
    const kit = await runPlugin(authApiKey);
    const { id, key: first } = await create(kit);
    const rotated = await kit.agent.post(`${KEYS}/${id}/rotate`).send({ overlap: '10s' }).expect(201);
    const second: string = rotated.body.key;
    expect(rotated.body).to.include({ id, prefix: second.slice(0, 10), consumer: 'alice' });
    expect(rotated.body.previous).to.deep.equal({
      prefix: first.slice(0, 10),
      validUntil: '2024-01-01T12:00:10.000Z',
    });
    kit.clock.tick(9999);
    expect(await statusWith(kit, first)).to.equal(200);
    expect(await statusWith(kit, second)).to.equal(200);
    kit.clock.tick(1);
    expect(await statusWith(kit, first)).to.equal(401);
    expect(await statusWith(kit, second)).to.equal(200);
    const third: string = (await kit.agent.post(`${KEYS}/${id}/rotate`).expect(201)).body.key;
    expect(await statusWith(kit, second)).to.equal(401);
    expect(await statusWith(kit, third)).to.equal(200);
  });

  it('are at most two of one id, and both end with it', async () => {
    const kit = await runPlugin(authApiKey);
    const { id, key: first } = await create(kit);
    const rotate = async (): Promise<string> =>
      (await kit.agent.post(`${KEYS}/${id}/rotate`).send({ overlap: '1h' }).expect(201)).body.key;
    const second = await rotate();
    const third = await rotate();
    expect(await Promise.all([first, second, third].map((key) => statusWith(kit, key)))).to.deep.equal([
      401, 200, 200,
    ]);
    await kit.agent.delete(`${KEYS}/${id}`).expect(204);
    expect(await statusWith(kit, second)).to.equal(401);
    expect(await statusWith(kit, third)).to.equal(401);
  });

  describe('a wrong request', () => {
    const good = { consumer: 'alice', name: 'mobile' };
    const wrong: [string, object, string[]][] = [
      ['nothing', {}, ['consumer', 'name']],
      ['a misspelt field', { ...good, servces: ['demo'] }, ['servces']],
      ['a key of one’s own', { ...good, key: 'a-key-that-i-made-up' }, ['key']],
      ['a consumer with a space', { ...good, consumer: 'a b' }, ['consumer']],
      ['a consumer with a line break', { ...good, consumer: 'a\r\nX-Admin: 1' }, ['consumer']],
      ['an empty list of services', { ...good, services: [] }, ['services']],
      ['a service that is no text', { ...good, services: ['demo', 1] }, ['services.1']],
      ['a method in lower case', { ...good, methods: ['get'] }, ['methods.0']],
      ['a rate limit without window', { ...good, rateLimit: { requests: 1 } }, ['rateLimit.window']],
      ['a rate of nothing', { ...good, rateLimit: { requests: 0, window: 1 } }, ['rateLimit.requests']],
      ['a date in the past', { ...good, expiresAt: '2024-01-01T12:00:00Z' }, ['expiresAt']],
      ['a day that does not exist', { ...good, expiresAt: '2024-02-30T12:00:00Z' }, ['expiresAt']],
      ['a date without zone', { ...good, expiresAt: '2030-01-01T12:00:00' }, ['expiresAt']],
      ['two expiries', { ...good, expiresAt: '2030-01-01T12:00:00Z', expiresIn: '1h' }, ['expiresIn']],
      ['a life of a thousand years', { ...good, expiresIn: '365000d' }, ['expiresIn']],
      [
        'several faults',
        { consumer: '', name: '', expiresIn: 'soon', x: 1 },
        ['consumer', 'expiresIn', 'name', 'x'],
      ],
    ];
    it('is answered with all its faults, and makes no key', async () => {
      const kit = await runPlugin(authApiKey);
      for (const [name, body, paths] of wrong) {
        const response = await kit.agent.post(KEYS).send(body);
        expect(response.status, name).to.equal(400);
        const details: { path: string; expected: string }[] = response.body.details;
        expect(details.map(({ path }) => path).sort(), name).to.deep.equal(paths);
        for (const { expected } of details) expect(expected, name).to.be.a('string').and.not.equal('');
      }
      const { id } = await create(kit);
      for (const body of [{ overlap: 'long' }, { overlap: -1 }, { overlaps: 1 }]) {
        const response = await kit.agent.post(`${KEYS}/${id}/rotate`).send(body).expect(400);
        expect(response.body.details).to.have.lengthOf(1);
      }
      expect((await kit.agent.get(KEYS)).body.total).to.equal(1);
    });
  });

  it('answer nobody but administrators', async () => {
    const kit = await runPlugin(authApiKey);
    for (const path of [KEYS, `${KEYS}/x`])
      await kit.agent.get(path).set('X-Forwarded-For', '10.0.0.1').expect(401);
    await kit.agent.post(KEYS).set('Origin', 'https://evil.example').send({}).expect(403);
  });

  describe('over time', () => {
    it('survive a reload, also their rotation', async () => {
      const kit = await runPlugin(authApiKey);
      const { id, key } = await create(kit);
      const rotated = await kit.agent.post(`${KEYS}/${id}/rotate`).send({ overlap: '1m' }).expect(201);
      await kit.gateway.reload(kit.configuration({ keys: [configured] }));
      for (const each of [key, rotated.body.key, configured.key]) {
        expect(await statusWith(kit, each)).to.equal(200);
      }
      await kit.agent.delete(`${KEYS}/${id}`).expect(204);
      expect(await statusWith(kit, rotated.body.key)).to.equal(401);
    });

    it('are on the disk before they are acknowledged: a process that is killed then loses nothing', async () => {
      const directory = await dataDirectory();
      const first = await runIn(directory);
      const kept = await create(first);
      const revoked = await create(first);
      const rotated = await create(first);
      await first.agent.delete(`${KEYS}/${revoked.id}`).expect(204);
      const next = await first.agent
        .post(`${KEYS}/${rotated.id}/rotate`)
        .send({ overlap: '30s' })
        .expect(201);
      // The first gateway is not stopped: what the second one finds is what a kill would have left behind.
      const second = await runIn(directory);
      expect(await statusWith(second, kept.key)).to.equal(200);
      expect(await statusWith(second, revoked.key)).to.equal(401);
      expect(await statusWith(second, rotated.key)).to.equal(200);
      expect(await statusWith(second, next.body.key)).to.equal(200);
      expect((await second.agent.get(KEYS)).body).to.deep.equal((await first.agent.get(KEYS)).body);
      second.clock.tick(30_000);
      expect(await statusWith(second, rotated.key)).to.equal(401);
      expect((await stat(join(directory, 'api-keys.json'))).mode & 0o077).to.equal(0);
    });

    it('end with the process where they are kept in memory', async () => {
      const directory = await dataDirectory();
      const kit = await runIn(directory, { store: 'memory' });
      const { key } = await create(kit);
      expect(await statusWith(kit, key)).to.equal(200);
      await kit.gateway.reload(kit.configuration({ store: 'memory', optional: true }));
      expect(await statusWith(kit, key)).to.equal(200);
      expect(await statusWith(await runIn(directory, { store: 'memory' }), key)).to.equal(401);
      expect(await stat(join(directory, 'api-keys.json')).catch(() => undefined)).to.equal(undefined);
    });

    const entry = {
      id: 'key_1',
      consumer: 'alice',
      name: 'x',
      hash: 'ab'.repeat(32),
      prefix: 'gw_x',
      createdAt: 1,
    };
    const damaged: [string, string][] = [
      ['half of a file', '{"version": 1, "keys": ['],
      ['another version', '{"version": 2, "keys": []}'],
      ['no list', '{"version": 1}'],
      ['an unknown field', JSON.stringify({ version: 1, keys: [{ ...entry, admin: true }] })],
      ['a hash that is none', JSON.stringify({ version: 1, keys: [{ ...entry, hash: 'ab' }] })],
      [
        'a consumer for a header field',
        JSON.stringify({ version: 1, keys: [{ ...entry, consumer: 'a\r\nb' }] }),
      ],
      ['a restriction that is none', JSON.stringify({ version: 1, keys: [{ ...entry, services: 'demo' }] })],
      ['a key twice', JSON.stringify({ version: 1, keys: [entry, { ...entry, id: 'key_2' }] })],
    ];
    for (const [name, content] of damaged) {
      it(`stop the start when the file is damaged: ${name}`, async () => {
        const directory = await dataDirectory();
        await mkdir(directory);
        const file = join(directory, 'api-keys.json');
        await writeFile(file, content);
        const failure = await runIn(directory).catch((error: unknown) => error);
        expect(failure).to.be.instanceOf(DamagedFileError);
        expect(failure).to.have.property('message').that.contains(file).and.contains('API keys');
        expect(await readFile(file, 'utf8')).to.equal(content);
      });
    }

    it('can be read from the file that the damaged ones differ from', async () => {
      const directory = await dataDirectory();
      await mkdir(directory);
      await writeFile(join(directory, 'api-keys.json'), JSON.stringify({ version: 1, keys: [entry] }));
      const kit = await runIn(directory);
      expect((await kit.agent.get(`${KEYS}/key_1`).expect(200)).body.consumer).to.equal('alice');
    });
  });

  it('are in no response but the one that made them, no log line and no file', async () => {
    const kit = await runPlugin(
      authApiKey,
      { keys: [configured], query: 'api_key', store: 'file' },
      { before: [{ definition: accessLog }] },
    );
    const { id, key } = await create(kit);
    const rotated: string = (await kit.agent.post(`${KEYS}/${id}/rotate`).send({ overlap: '1m' })).body.key;
    const secrets = [key, rotated, configured.key];
    const seen: string[] = [];
    const look = async (request: ReturnType<PluginKit['agent']['get']>) => {
      const { headers, text } = await request;
      seen.push(JSON.stringify(headers), text);
    };
    for (const secret of secrets) {
      await look(kit.agent.get(PATH).set('X-API-Key', secret));
      await look(kit.agent.get(`${PATH}?api_key=${secret}`));
      await look(kit.agent.get(PATH).set('X-API-Key', `${secret}x`));
      await look(kit.agent.get('/nowhere').set('X-API-Key', secret));
      await look(kit.agent.post(KEYS).send({ key: secret }));
    }
    for (const path of [KEYS, `${KEYS}/${id}`, '/api/v1/gateway/plugins', '/api/v1/gateway/status']) {
      await look(kit.agent.get(path).expect(200));
    }
    await look(kit.agent.delete(`${KEYS}/c-1`));
    const file = await readFile(join(kit.dataDirectory, 'api-keys.json'), 'utf8');
    const everything = [...seen, ...kit.logLines, file].join('\n');
    expect(everything).to.contain(id).and.contain('An API key was created');
    for (const secret of secrets) expect(everything).not.to.contain(secret);
    expect([...seen, ...kit.logLines].join('\n')).not.to.match(/[0-9a-f]{64}/);
  });
});
