import { expect } from 'chai';
import { AdminGuard } from '../../../core/admin/guard.js';
import { GatewayError } from '../../../core/errors.js';
import type { GatewayRequest } from '../../../core/index.js';
import { hostnameOf } from '../../../core/routing/hosts.js';

const TOKEN = 'a-token-of-sufficient-length';

interface Row {
  readonly from?: 'loopback' | 'remote';
  readonly host?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether the gateway has an admin token; it does unless said otherwise. */
  readonly token?: boolean;
}

/** What the guard answers; 200 when it lets the request pass. */
function verdict({ from = 'loopback', host = 'localhost:8080', headers = {}, token = true }: Row): number {
  const request = {
    req: { headers },
    peer: { loopback: from === 'loopback' },
    host,
    hostname: hostnameOf(host) ?? '',
  };
  try {
    new AdminGuard(token ? TOKEN : undefined).check(request as unknown as GatewayRequest);
    return 200;
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    if (error.status === 401) expect(error.headers?.['WWW-Authenticate']).to.match(/^Bearer realm=/);
    return error.status;
  }
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const direct = { from: 'loopback' } as const;
const remote = { from: 'remote', host: 'gateway.example.com' } as const;

const ROWS: readonly [name: string, row: Row, status: number][] = [
  ['a direct local caller', direct, 200],
  ['a direct local caller, without any token configured', { token: false }, 200],
  ['a local caller by 127.0.0.1', { host: '127.0.0.1:8080' }, 200],
  ['a local caller by ::1', { host: '[::1]:8080' }, 200],
  ['a local caller with credentials for somebody else', { token: false, headers: bearer('x') }, 200],
  ['a name of somebody else that points here (DNS rebinding)', { host: 'evil.example' }, 401],
  ['a name that only begins like a local one', { host: 'localhost.evil.example' }, 401],
  ['no Host at all', { host: '' }, 401],
  ['a remote caller', remote, 401],
  ['a remote caller that claims to be local', { from: 'remote', host: 'localhost' }, 401],
  ['a remote caller, without any token configured', { ...remote, token: false }, 401],
  ['a remote caller with the token', { ...remote, headers: bearer(TOKEN) }, 200],
  [
    'the token in another case of its scheme',
    { ...remote, headers: { authorization: `bEARER ${TOKEN}` } },
    200,
  ],
  ['a remote caller with a wrong token', { ...remote, headers: bearer(`${TOKEN}x`) }, 401],
  ['a remote caller with an empty token', { ...remote, headers: { authorization: 'Bearer ' } }, 401],
  ['the token without its scheme', { ...remote, headers: { authorization: TOKEN } }, 401],
  ['the token under another scheme', { ...remote, headers: { authorization: `Basic ${TOKEN}` } }, 401],
  ['a local caller with a wrong token', { headers: bearer('wrong') }, 401],
  ['the token through a proxy', { headers: { ...bearer(TOKEN), 'x-forwarded-for': '192.0.2.1' } }, 200],
  ['a page of the gateway’s own origin', { headers: { origin: 'http://localhost:8080' } }, 200],
  ['a page of another origin', { headers: { origin: 'http://evil.example' } }, 403],
  ['a page of another port', { headers: { origin: 'http://localhost:3000' } }, 403],
  ['an opaque origin', { headers: { origin: 'null' } }, 403],
  [
    'another origin, even with the token',
    { headers: { ...bearer(TOKEN), origin: 'http://evil.example' } },
    403,
  ],
  ['a navigation by the user', { headers: { 'sec-fetch-site': 'none' } }, 200],
  ['a request of the same origin', { headers: { 'sec-fetch-site': 'same-origin' } }, 200],
  ['a request of the same site', { headers: { 'sec-fetch-site': 'same-site' } }, 403],
  ['a request of another site', { headers: { 'sec-fetch-site': 'cross-site' } }, 403],
  [
    'another site, even with the token',
    { headers: { ...bearer(TOKEN), 'sec-fetch-site': 'cross-site' } },
    403,
  ],
  ...['forwarded', 'x-forwarded-for', 'x-forwarded-port', 'x-real-ip', 'via', 'cf-connecting-ip'].map(
    (name): [string, Row, number] => [
      `a local proxy that adds ${name}`,
      { headers: { [name]: '127.0.0.1' } },
      401,
    ],
  ),
];

describe('AdminGuard', () => {
  for (const [name, row, status] of ROWS) {
    it(`${status === 200 ? 'lets pass' : `answers ${status}`}: ${name}`, () => {
      expect(verdict(row)).to.equal(status);
    });
  }

  it('does not tell whether a token is near', () => {
    expect(verdict({ ...remote, headers: bearer(TOKEN.slice(0, -1)) })).to.equal(401);
    expect(verdict({ ...remote, headers: bearer('é'.repeat(TOKEN.length)) })).to.equal(401);
  });
});
