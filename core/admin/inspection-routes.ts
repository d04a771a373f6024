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
function describePlugin(plugin: LoadedPlugin, gatewayVersion: string) {
  const { definition, entry } = plugin;
  return {
    id: plugin.id,
    name: definition.name,
    use: entry.use,
    version: definition.version ?? gatewayVersion,
    summary: definition.summary,
    options: masked(plugin.options, [definition.options]),
  };
}

const MASK = '***';

/**
 * A copy of options without secrets: what the schema marks as one, what stands under the name of one, and passwords in
 * URLs.
 *
 * @param hidden whether it stands below something that has the name of a secret
 */
export function masked(value: unknown, schemas: readonly unknown[], hidden = false): unknown {
  const variants = schemas.flatMap(variantsOf);
  if (variants.some((schema) => at(schema, 'secret') === true)) return MASK;
  if (typeof value === 'string') return hidden ? MASK : value.replace(/\/\/[^/?#]*@/g, `//${MASK}@`);
  if (Array.isArray(value)) {
    const items = variants.map((schema) => at(schema, 'items'));
    return value.map((item) => masked(item, items, hidden));
  }
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) => {
      const below = variants.flatMap((schema) => schemasOf(schema, key));
      return [key, masked(child, below, hidden || looksSecret(key))];
    }),
  );
}

/** A schema, and those that it is a choice or a combination of. */
function variantsOf(schema: unknown): unknown[] {
  const parts = ['anyOf', 'oneOf', 'allOf'].map((key) => at(schema, key)).filter(Array.isArray);
  return [schema, ...parts.flat().flatMap(variantsOf)];
}

/** The schemas of a property, also of a record whose keys are free. */
function schemasOf(schema: unknown, key: string): unknown[] {
  const own = at(at(schema, 'properties'), key);
  if (own !== undefined) return [own];
  const patterns = at(schema, 'patternProperties');
  return [at(schema, 'additionalProperties'), ...(isRecord(patterns) ? Object.values(patterns) : [])];
}

function at(schema: unknown, key: string): unknown {
  return typeof schema === 'object' && schema !== null && Object.hasOwn(schema, key)
    ? Reflect.get(schema, key)
    : undefined;
}
