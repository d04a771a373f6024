import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { SERVICE_NAME_PATTERN } from '../config/schema.js';
import { ServiceSchema, type ServiceSettings } from '../config/service-schema.js';
import { JsonFile } from '../state/json-file.js';

/** A service that was registered at run time. */
export interface StoredService {
  readonly name: string;
  /** Complete and validated; durations in milliseconds, sizes in bytes. */
  readonly settings: ServiceSettings;
}

/** Keeps what was registered at run time over a restart. */
export interface ServiceStore {
  /** @throws Error when what was stored cannot be understood */
  load(): Promise<StoredService[]>;
  /** Replaces all that is stored. Resolves once it would survive a loss of power. */
  save(services: readonly StoredService[]): Promise<void>;
}

const LayoutSchema = Type.Object(
  {
    version: Type.Literal(1),
    services: Type.Array(
      Type.Object(
        { name: Type.String({ pattern: SERVICE_NAME_PATTERN }), settings: ServiceSchema },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
);

/** Registered services in a file: `{ "version": 1, "services": [{ "name", "settings" }] }`. */
export class FileServiceStore implements ServiceStore {
  readonly #file: JsonFile<{ services: readonly StoredService[] }>;

  /** @param path made at the first registration, with its directories */
  constructor(path: string) {
    this.#file = new JsonFile({
      path,
      purpose: 'the services that were registered at run time',
      version: 1,
      parse: parseLayout,
    });
  }

  async load(): Promise<StoredService[]> {
    return [...((await this.#file.read())?.services ?? [])];
  }

  async save(services: readonly StoredService[]): Promise<void> {
    await this.#file.write({ services });
  }
}

function parseLayout(content: unknown): { services: StoredService[] } {
  if (!Value.Check(LayoutSchema, content)) {
    const [error] = Value.Errors(LayoutSchema, content);
    throw new Error(`at ${error?.instancePath || '/'} it ${error?.message ?? 'is wrong'}`);
  }
  const seen = new Set<string>();
  for (const [index, { name, settings }] of content.services.entries()) {
    const at = `/services/${index}`;
    if (seen.has(name)) throw new Error(`at ${at}/name there is a second service '${name}'`);
    seen.add(name);
    for (const { url } of settings.targets) {
      if (!URL.canParse(url)) throw new Error(`at ${at}/settings/targets there is '${url}', which is no URL`);
    }
    checkDurations(settings, `${at}/settings`);
  }
  return { services: content.services };
}

// The schema also takes the texts of a configuration file, '30s'; in state there are milliseconds only.
function checkDurations(settings: ServiceSettings, at: string): void {
  const { timeout, health, pool, outlierEjection, slowStart, concurrency } = settings;
  const durations = {
    ...timeout,
    interval: health.interval,
    timeout: health.timeout,
    keepAlive: pool.keepAlive,
    window: outlierEjection?.window ?? 0,
    baseTime: outlierEjection?.baseTime ?? 0,
    maxTime: outlierEjection?.maxTime ?? 0,
    duration: slowStart?.duration ?? 0,
    maxWait: concurrency?.maxWait ?? 0,
  };
  for (const [name, value] of Object.entries(durations)) {
    if (typeof value !== 'number') throw new Error(`at ${at} '${name}' must be a number of milliseconds`);
  }
}
