import { expect } from 'chai';
import type { Exchange } from '../../../core/exchange.js';
import { leadTo, upstreamPathFor } from '../../../core/routing/service-path.js';
import { serviceOf, settingsOf } from '../services/support.js';

const service = (name: string, basePath: string, websocketBasePath = '/ws') =>
  serviceOf(name, { ...settingsOf(['http://a']), basePath, websocketBasePath });

/** What the functions read of an exchange on the built-in route of a service. */
function exchangeOf(basePath: string, path: string, upstreamPath: string, pattern = '/api/v1/orders/**') {
  const own = service('orders', basePath);
  return { route: { pattern, service: own }, service: own, path, upstreamPath } as unknown as Exchange;
}

describe('leading a request to another service', () => {
  const rows: [from: string, to: string, path: string, before: string, after: string][] = [
    ['/api/v1', '/api/v1', '/api/v1/orders/7', '/api/v1/7', '/api/v1/7'],
    ['/api/v1', '/v2', '/api/v1/orders/7', '/api/v1/7?a=/api/v1', '/v2/7?a=/api/v1'],
    ['/api/v1', '/v2', '/api/v1/orders', '/api/v1', '/v2'],
    ['/api/v1', '/v2', '/api/v1/orders', '/api/v1?a=1', '/v2?a=1'],
    ['/api/v1', '/v2', '/api/v1/orders/', '/api/v1/', '/v2/'],
    ['/api/v1', '/', '/api/v1/orders/7', '/api/v1/7', '/7'],
    ['/api/v1', '/', '/api/v1/orders', '/api/v1?a=1', '/?a=1'],
    ['/', '/v2', '/api/v1/orders/7', '/7', '/v2/7'],
    ['/', '/v2', '/api/v1/orders', '/?a=1', '/v2?a=1'],
    ['/', '/v2', '/api/v1/orders/', '/?a=1', '/v2/?a=1'],
    ['/v1/', '/v2/', '/api/v1/orders/7', '/v1/7', '/v2/7'],
    ['/v1/', '/v2/', '/api/v1/orders', '/v1/', '/v2/'],
    ['/v1/', '/v2', '/api/v1/orders/', '/v1/', '/v2/'],
  ];
  for (const [from, to, path, before, after] of rows) {
    it(`from ${from} to ${to} makes ${after} of ${before} for ${path}`, () => {
      const exchange = exchangeOf(from, path, before);
      const other = service('canary', to);
      expect(upstreamPathFor(exchange, other)).to.equal(after);
      leadTo(exchange, other);
      expect(exchange.upstreamPath).to.equal(after);
      expect(exchange.service).to.equal(other);
    });
  }

  it('goes on from the service that it was led to before', () => {
    const exchange = exchangeOf('/api/v1', '/api/v1/orders/7', '/api/v1/7');
    leadTo(exchange, service('canary', '/v2'));
    leadTo(exchange, service('fallback', '/v3'));
    expect(exchange.upstreamPath).to.equal('/v3/7');
  });

  it('takes the base path for WebSockets on that route', () => {
    const exchange = exchangeOf('/api/v1', '/ws/orders/feed', '/ws/feed');
    leadTo(exchange, service('canary', '/v2', '/streams'));
    expect(exchange.upstreamPath).to.equal('/streams/feed');
  });

  it('leaves the path of a route of the configuration alone', () => {
    const exchange = exchangeOf('/api/v1', '/o/7', '/api/v1/orders/7', '/o/*');
    leadTo(exchange, service('canary', '/v2'));
    expect(exchange.upstreamPath).to.equal('/api/v1/orders/7');
  });

  it('leaves a path alone that a plugin has put in the place of the base path', () => {
    for (const replaced of ['/elsewhere/7', '/api/v10/7']) {
      const exchange = exchangeOf('/api/v1', '/api/v1/orders/7', replaced);
      leadTo(exchange, service('canary', '/v2'));
      expect(exchange.upstreamPath).to.equal(replaced);
    }
  });
});
