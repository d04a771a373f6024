import { type LoadedConfiguration, parseSettings } from './config/load.js';
import { Gateway, type GatewayParts } from './gateway.js';

/** How a gateway is made by a program that embeds it. */
export interface GatewayOptions extends Partial<GatewayParts> {
  /** Folder that relative paths in the configuration start from; the working directory by default. */
  readonly baseDirectory?: string;
  /** For `${VAR}` in the configuration; `process.env` by default. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** A gateway in a program: started, reloaded with a configuration as an object, stopped. */
export interface EmbeddedGateway
  extends Pick<Gateway, 'start' | 'stop' | 'address' | 'adminAddress' | 'events' | 'services'> {
  /** See {@link Gateway.reload}. */
  reload(config: unknown): Promise<void>;
}

/**
 * Makes a gateway from a configuration as it would stand in `.gatewayrc`.
 *
 * @throws ConfigurationError with every mistake
 */
export function createGateway(config: unknown, options: GatewayOptions = {}): EmbeddedGateway {
  const { catalogue = {}, baseDirectory = process.cwd(), env = process.env } = options;
  const parse = (raw: unknown): LoadedConfiguration => {
    const context = {
      source: 'the configuration',
      baseDirectory,
      env,
      catalogueNames: Object.keys(catalogue),
    };
    return {
      ...parseSettings(raw, context),
      file: undefined,
      baseDirectory,
      usesDefaults: raw === undefined,
    };
  };
  const gateway = new Gateway(parse(config), { ...options, catalogue });
  return {
    start: () => gateway.start(),
    stop: () => gateway.stop(),
    reload: async (next) => {
      await gateway.reload(() => parse(next));
    },
    address: () => gateway.address(),
    adminAddress: () => gateway.adminAddress(),
    events: gateway.events,
    services: gateway.services,
  };
}
