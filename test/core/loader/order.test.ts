import { expect } from 'chai';
import { parseSettings } from '../../../core/config/parse.js';
import { type OrderedPlugin, orderViolations } from '../../../core/loader/order.js';
import { catalogue } from '../../../plugins/index.js';

const plugin = (name: string, order?: OrderedPlugin['order'], id = name): OrderedPlugin => ({
  id,
  name,
  order,
});
const violations = (...plugins: OrderedPlugin[]) =>
  orderViolations(plugins).map(({ index, message }) => `${index}: ${message}`);

describe('orderViolations', () => {
  it('has nothing against an order that keeps to all constraints', () => {
    expect(violations(plugin('a', { before: ['b'] }), plugin('b', { after: ['a'] }))).to.deep.equal([]);
  });

  it('does not miss plugins that are not in the list', () => {
    expect(violations(plugin('a', { after: ['x'], before: ['y'] }))).to.deep.equal([]);
  });

  it('says which line to move below another', () => {
    expect(violations(plugin('cache', { after: ['auth'] }), plugin('cors'), plugin('auth'))).to.deep.equal([
      "0: 'cache' must stand after 'auth': move the line of 'cache' below it",
    ]);
  });

  it('says which line to move above another', () => {
    expect(violations(plugin('cache'), plugin('auth', { before: ['cache'] }))).to.deep.equal([
      "1: 'auth' must stand before 'cache': move the line of 'auth' above it",
    ]);
  });

  it('tells of a pair once, also where both sides ask for it', () => {
    expect(
      violations(plugin('cache', { after: ['auth'] }), plugin('auth', { before: ['cache'] })),
    ).to.have.length(1);
  });

  it('goes by the name of the plugin, speaks of it by its id, and looks at every instance', () => {
    expect(
      violations(
        plugin('auth', undefined, 'own-jwt'),
        plugin('cache', { after: ['auth'] }),
        plugin('auth', undefined, 'partner-jwt'),
      ),
    ).to.deep.equal(["1: 'cache' must stand after 'partner-jwt': move the line of 'cache' below it"]);
  });

  it('reports all that is wrong', () => {
    expect(
      violations(plugin('c', { after: ['a', 'b'] }), plugin('b', { after: ['a'] }), plugin('a')),
    ).to.have.length(3);
  });
});

describe('the recommended order', () => {
  /** The requirements' complete example, with every feature on. */
  const FLAT = {
    'api-gateway-service': {
      port: 8080,
      enable_auth: true,
      jwt_secret: 'a-secret-of-at-least-32-characters',
      jwt_algorithm: 'HS256',
      enable_rate_limiting: true,
      rate_limit_requests: 100,
      rate_limit_window: 60,
      enable_circuit_breaker: true,
      cache_ttl: 300,
      services: { a: { host: 'localhost', port: 8081 } },
    },
  };
  const RECOMMENDED = [
    'access-log',
    'metrics',
    'auth-jwt',
    'auth-apikey',
    'rate-limit-token-bucket',
    'response-cache',
    'circuit-breaker',
    'ws-proxy',
  ];

  it('is the one that the requirements’ flat file is translated to', () => {
    const context = { source: 'services.yaml', baseDirectory: '.', env: {}, catalogueNames: RECOMMENDED };
    const { settings } = parseSettings(FLAT, context);
    expect(settings.plugins.map(({ use }) => use)).to.deep.equal(RECOMMENDED);
  });

  it('keeps to the constraints of the plugins that ship with the gateway', async () => {
    const shipped = RECOMMENDED.flatMap((name) => catalogue[name] ?? []);
    expect(shipped).not.to.deep.equal([]);
    const definitions = (await Promise.all(shipped.map((load) => load()))).map((module) => module.default);
    expect(orderViolations(definitions.map((each) => ({ id: each.name, ...each })))).to.deep.equal([]);
  });
});
