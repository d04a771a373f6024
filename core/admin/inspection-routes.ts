import type { TSchema } from 'typebox';
import { looksSecret } from '../config/mistakes.js';
import { isRecord } from '../config/paths.js';
import type { LoadedPlugin } from '../loader/loaded-plugin.js';
import type { EndpointRouter } from '../plugin.js';
import type { Router } from '../routing/router.js';

/** What the inspection routes report of. */
export interface InspectionView {
  readonly version: string;
  readonly router: Router;
  readonly plugins: readonly LoadedPlugin[];
}

/** `/api/v1/gateway/routes` and `/api/v1/gateway/plugins`: what runs, and in which order. */
export function mountInspectionRoutes(router: EndpointRouter, view: InspectionView): void {
  router.get('/routes', (ctx) => {
    const routes = view.router.list().map(({ route }) => ({
      id: route.id,
      pattern: route.pattern,
      methods: route.methods ?? null,
      service: route.service.name,
      plugins: route.plugins.map(({ id }) => id),
    }));
    ctx.body = { routes, total: routes.length };
  });
  router.get('/plugins', (ctx) => {
    ctx.body = {
      plugins: view.plugins.map((plugin) => describePlugin(plugin, view.version)),
      total: view.plugins.length,
    };
  });
}

/** A plugin instance for people: its place, version and options, secrets masked. */
export function describePlugin(plugin: LoadedPlugin, gatewayVersion: string) {
  const { definition, entry } = plugin;
  return {
    id: plugin.id,
    name: definition.name,
    use: entry.use,
    version: definition.version ?? gatewayVersion,
    summary: definition.summary,
    options: masked(plugin.options, definition.options),
  };
}

const MASK = '***';

/** A copy of options without secrets: what the schema marks as one, and what has the name of one. */
function masked(value: unknown, schema: TSchema | undefined): unknown {
  if (schema !== undefined && 'secret' in schema && schema.secret === true) return MASK;
  if (Array.isArray(value)) return value.map((item) => masked(item, schemaAt(schema, 'items')));
  if (!isRecord(value)) return value;
  const properties = schemaAt(schema, 'properties');
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) => {
      const hides = looksSecret(key) && typeof child === 'string';
      return [key, hides ? MASK : masked(child, schemaAt(properties, key))];
    }),
  );
}

function schemaAt(schema: unknown, key: string): TSchema | undefined {
  const child: unknown = typeof schema === 'object' && schema !== null ? Reflect.get(schema, key) : undefined;
  return typeof child === 'object' && child !== null ? child : undefined;
}
