import { ConfigurationError, type Mistake } from '../config/mistakes.js';
import { formatPath } from '../config/paths.js';
import type { ServiceSettings } from '../config/service-schema.js';
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
    if (typeof name !== 'string') throw invalid([NO_NAME, ...faultsOf(UNNAMED, declaration, parse)]);
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
      const fault = { path: 'service_name', found: 'another name', expected: `"${name}", as in the path` };
      throw invalid([fault, ...faultsOf(name, declaration, parse)]);
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

/** A fault in the terms of the request. */
type RequestFault = Omit<Mistake, 'file'>;

/** Stands in for a name that is missing, so that the rest can be checked all the same. */
const UNNAMED = 'unnamed';
const NO_NAME: RequestFault = { path: 'service_name', found: 'no text', expected: 'the name of the service' };

function checked(name: string, declaration: unknown, parse: ServicesView['parse']): ServiceSettings {
  try {
    return parse(name, declaration);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    throw invalid(inRequest(error, name));
  }
}

function faultsOf(name: string, declaration: unknown, parse: ServicesView['parse']): RequestFault[] {
  try {
    parse(name, declaration);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return inRequest(error, name);
  }
}

function invalid(details: readonly RequestFault[]): GatewayError {
  return new GatewayError('BAD_REQUEST', { message: 'The service is not valid', details });
}

/** The faults at the places of the request, where a service stands without `services.name` around it. */
function inRequest({ mistakes }: ConfigurationError, name: string): RequestFault[] {
  const prefix = formatPath(['services', name]);
  return mistakes.map(({ file: _, path, ...fault }) => ({
    path:
      path === prefix ? 'service_name' : path.startsWith(`${prefix}.`) ? path.slice(prefix.length + 1) : path,
    ...fault,
  }));
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
      priority: target.priority,
      healthy: target.healthy,
      ejected: target.ejected,
      active: target.active,
      last_health_check: isoTime(target.lastHealthCheck ?? 0),
    })),
  };
}

function isoTime(time: number): string | null {
  return time === 0 ? null : new Date(time).toISOString();
}
