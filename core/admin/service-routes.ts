import { ConfigurationError } from '../config/mistakes.js';
import type { ServiceSettings } from '../config/schema.js';
import { GatewayError } from '../errors.js';
import type { EndpointRouter } from '../plugin.js';
import type { ServiceRegistry } from '../services/registry.js';
import type { Service } from '../services/service.js';
import { readJsonBody } from './json-body.js';

/** What the service routes work on. */
export interface ServicesView {
  readonly registry: ServiceRegistry;
  /**
   * Checks a declaration as it stands in a configuration file, overrides of plugin options included.
   *
   * @throws ConfigurationError with everything that is wrong
   */
  readonly parse: (name: string, declaration: unknown) => ServiceSettings;
}

/** `/api/v1/gateway/services`, in the requirements' shapes. */
export function mountServiceRoutes(router: EndpointRouter, { registry, parse }: ServicesView): void {
  const existing = (name: string): Service => {
    const service = registry.get(name);
    if (service === undefined) throw new GatewayError('SERVICE_NOT_FOUND');
    return service;
  };

  router.get('/services', (ctx) => {
    const services = Object.fromEntries(registry.list().map((service) => [service.name, describe(service)]));
    ctx.body = { services, total: Object.keys(services).length };
  });

  router.post('/services', async (ctx) => {
    const { service_name: name, ...declaration } = await readJsonBody(ctx.req);
    if (typeof name !== 'string') {
      throw new GatewayError('BAD_REQUEST', { message: 'service_name: expected the name of the service' });
    }
    await registry.register(name, checked(name, declaration, parse));
    ctx.status = 201;
    ctx.set('Location', `/api/v1/gateway/services/${name}`);
    ctx.body = { service_name: name, ...describe(existing(name)) };
  });

  router.get('/services/:name', (ctx) => {
    const name = nameOf(ctx.params);
    ctx.body = { service_name: name, ...describe(existing(name)) };
  });

  router.put('/services/:name', async (ctx) => {
    const name = nameOf(ctx.params);
    existing(name);
    const { service_name: given, ...declaration } = await readJsonBody(ctx.req);
    if (given !== undefined && given !== name) {
      throw new GatewayError('BAD_REQUEST', {
        message: `service_name: expected "${name}", as in the path, or nothing`,
      });
    }
    await registry.update(name, checked(name, declaration, parse));
    ctx.body = { service_name: name, ...describe(existing(name)) };
  });

  router.delete('/services/:name', async (ctx) => {
    await registry.remove(nameOf(ctx.params));
    ctx.status = 204;
    ctx.body = null;
  });
}

function nameOf(params: Readonly<Record<string, string | undefined>>): string {
  return params.name ?? '';
}

function checked(name: string, declaration: unknown, parse: ServicesView['parse']): ServiceSettings {
  try {
    return parse(name, declaration);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    throw new GatewayError('BAD_REQUEST', {
      message: 'The service is not valid',
      details: error.mistakes.map(({ path, found, expected, hint }) => ({ path, found, expected, hint })),
    });
  }
}

/** A service as the requirements show it; host, port and base_url are those of its first target. */
function describe(service: Service) {
  const [first] = service.targets;
  const checks = service.targets.map((target) => target.lastHealthCheck ?? 0);
  const last = Math.max(0, ...checks);
  return {
    host: first?.hostname,
    port: first?.port,
    base_url: first?.url,
    healthy: service.healthy,
    last_health_check: isoTime(last),
    origin: service.origin,
    load_balancing: service.settings.loadBalancing.algorithm,
    targets: service.targets.map((target) => ({
      url: target.url,
      weight: target.weight,
      healthy: target.healthy,
      active: target.active,
      last_health_check: isoTime(target.lastHealthCheck ?? 0),
    })),
  };
}

function isoTime(time: number): string | null {
  return time === 0 ? null : new Date(time).toISOString();
}
