import { expect } from 'chai';
import { silentLogger } from '../../../core/log/logger.js';
import type { Route } from '../../../core/plugin.js';
import type { ServiceRegistry } from '../../../core/services/registry.js';
import { Service, type ServiceOrigin } from '../../../core/services/service.js';
import { ServiceReferences } from '../../../core/services/service-references.js';
import { settingsOf, targetOf } from './support.js';

const serviceNamed = (name: string, origin: ServiceOrigin = 'configuration') =>
  new Service({ name, origin, settings: settingsOf([`http://${name}`]), targets: [targetOf(name)] });

const routeOf = (name: string, origin?: ServiceOrigin): Route => ({
  id: name,
  service: serviceNamed(name, origin),
  pattern: `/api/v1/${name}/**`,
  methods: undefined,
  plugins: [],
});

/** References of the plugin `split` where these services are expected; with the lines that it warns with. */
function setUp(names: readonly string[]) {
  const registry = {
    expects: (name: string) => names.includes(name),
    expectedNames: () => names,
  } as unknown as ServiceRegistry;
  const warnings: string[] = [];
  const logger = {
    ...silentLogger,
    warn: (fields: object, message: string) => void warnings.push(JSON.stringify([fields, message])),
  };
  return { references: new ServiceReferences({ services: registry, pluginId: 'split', logger }), warnings };
}

const to = (...services: string[]) =>
  services.map((service, position) => ({ path: `to[${position}].service`, service }));

describe('ServiceReferences', () => {
  it('takes the services that are expected', () => {
    const { references, warnings } = setUp(['orders', 'canary']);
    expect(() => references.check(routeOf('orders'), to('canary', 'orders'))).not.to.throw();
    expect(warnings).to.deep.equal([]);
  });

  it('reports every name that is no service’s, with its place, and what was meant', () => {
    const { references } = setUp(['orders', 'stock', 'canary']);
    expect(() => references.check(routeOf('orders'), to('canry', 'stock', 'nobody'))).to.throw(
      Error,
      /^plugin split, route orders: to\[0\]\.service: found "canry", expected .*: orders, stock, canary; did you mean "canary"\?\nplugin split, route orders: to\[2\]\.service: .*"nobody"/,
    );
  });

  it('lists no thousands of names', () => {
    const { references } = setUp(Array.from({ length: 31 }, (_, index) => `service-${index}`));
    expect(() => references.check(routeOf('orders'), to('nobody'))).to.throw('one of the 31 services');
  });

  it('only warns of what a service registered before names, for it must not stop a start', () => {
    const { references, warnings } = setUp(['orders']);
    references.check(routeOf('orders', 'runtime'), to('removed'));
    expect(warnings.join()).to.contain('to[0].service').and.to.contain('There is no service \\"removed\\"');
  });

  it('refuses it of a service that is about to be registered, which may name itself', () => {
    const { references } = setUp(['canary']);
    expect(() => references.check(routeOf('orders', 'runtime'), to('canary', 'orders'))).not.to.throw();
    expect(() => references.check(routeOf('orders', 'runtime'), to('canry'))).to.throw(
      'found "canry", expected a service: canary; did you mean "canary"?',
    );
  });
});
