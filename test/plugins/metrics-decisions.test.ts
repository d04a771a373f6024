import { expect } from 'chai';
import jwt from 'jsonwebtoken';
import authApiKey from '../../plugins/auth-apikey/index.js';
import authJwt from '../../plugins/auth-jwt/index.js';
import metrics from '../../plugins/metrics/index.js';
import rateLimit from '../../plugins/rate-limit-token-bucket/index.js';
import { type PluginKitOptions, runPlugin } from '../support/plugin-kit.js';
import { scrapeAfter } from './metrics-support.js';

const SECRET = 'only for this test: 0123456789-0123456789-0123456789';
const KEY = 'decided-key-0123456789-0123456789-01234';
const START = Date.UTC(2024, 0, 1, 12) / 1000;

function token(claims: object, secret = SECRET): string {
  return `Bearer ${jwt.sign({ sub: 'someone', iat: START, exp: START + 60, ...claims }, secret)}`;
}

const jwtPlugin = (options: object = {}) => ({
  definition: authJwt,
  options: { secret: SECRET, ...options },
});
const keyPlugin = (options: object = {}) => ({
  definition: authApiKey,
  options: { keys: [{ consumer: 'one', name: 'test', key: KEY, methods: ['GET'] }], ...options },
});

type Row = readonly [
  title: string,
  headers: Readonly<Record<string, string>>,
  status: number,
  reason: string,
];

/** Sends one request per row; each must be refused, or not, for the reason that it names. */
async function expectReasons(
  after: NonNullable<PluginKitOptions['after']>,
  rows: readonly Row[],
): Promise<void> {
  for (const [title, headers, status, reason] of rows) {
    const kit = await runPlugin(metrics, {}, { after });
    await kit.agent.post('/api/v1/demo/echo').set(headers).expect(status);
    const found = await scrapeAfter(kit, 1);
    const reasons = found.matching('gateway_auth_failures_total').map(({ labels }) => labels.reason);
    expect(reasons, title).to.deep.equal(reason === '' ? [] : [reason]);
  }
}

describe('decisions that are counted', () => {
  it('why auth-jwt refused a request', async () => {
    const rules = [{ methods: ['POST'], scopes: ['write'] }];
    await expectReasons(
      [jwtPlugin({ rules })],
      [
        ['no token', {}, 401, 'missing'],
        ['no JWT', { authorization: 'Bearer nonsense' }, 401, 'invalid'],
        ['another key', { authorization: token({}, `${SECRET}2`) }, 401, 'invalid'],
        ['an old token', { authorization: token({ exp: START - 600 }) }, 401, 'expired'],
        ['too little', { authorization: token({ scope: 'read' }) }, 403, 'forbidden'],
        ['enough', { authorization: token({ scope: 'write' }) }, 200, ''],
      ],
    );
  });

  it('why auth-apikey refused a request', async () => {
    await expectReasons(
      [keyPlugin()],
      [
        ['no key', {}, 401, 'missing'],
        ['a wrong key', { 'x-api-key': 'wrong-key-0123456789-0123456789-0123' }, 401, 'invalid'],
        ['another method', { 'x-api-key': KEY }, 403, 'forbidden'],
      ],
    );
  });

  it('why two of them refused a request together, by the one whose error it was', async () => {
    const key = { 'x-api-key': KEY };
    const old = { authorization: token({ exp: START - 600 }) };
    const both = [jwtPlugin(), keyPlugin({ keys: [{ consumer: 'one', name: 'test', key: KEY }] })];
    await expectReasons(both, [
      ['nothing', {}, 401, 'missing'],
      ['an old token', old, 401, 'expired'],
      ['an old token and a good key', { ...old, ...key }, 200, ''],
      ['a good key', key, 200, ''],
      ['a good token', { authorization: token({}) }, 200, ''],
    ]);
    await expectReasons(
      [jwtPlugin({ mode: 'all' }), keyPlugin({ mode: 'all' })],
      [['a good token and no key', { authorization: token({}) }, 401, 'missing']],
    );
  });

  it('what the rate limit decided', async () => {
    const options = { requests: 2, exemptions: { paths: ['/api/v1/demo/free'] } };
    const kit = await runPlugin(metrics, {}, { after: [{ definition: rateLimit, options }] });
    for (const status of [200, 200, 429]) await kit.agent.get('/api/v1/demo/echo').expect(status);
    await kit.agent.get('/api/v1/demo/free').expect(200);
    const found = await scrapeAfter(kit, 4);
    const decided = found.matching('gateway_rate_limit_decisions_total', { service: 'demo' });
    expect(decided.map(({ labels, value }) => [labels.decision, value])).to.have.deep.members([
      ['allowed', 2],
      ['limited', 1],
      ['exempt', 1],
    ]);
  });
});
