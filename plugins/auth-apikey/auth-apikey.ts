import { join } from 'node:path';
import { inject, injectable } from 'tsyringe';
import {
  Authentication,
  CLOCK,
  type Clock,
  type Consumer,
  DATA_DIRECTORY,
  type EndpointRouter,
  GatewayError,
  type GatewayMiddleware,
  type GatewayPlugin,
  KEPT_STATE,
  type KeptState,
  LOGGER,
  type Logger,
  notingFailure,
  OPTIONS,
  PLUGIN_ID,
  type PluginStats,
  PublicPaths,
  type Route,
} from '../../core/index.js';
import { mountKeyRoutes } from './admin-routes.js';
import { type Grant, permits } from './api-key.js';
import { type ConfiguredKeys, configuredKeys } from './configured-keys.js';
import { CredentialTaker } from './credential.js';
import { FileKeyStore } from './file-key-store.js';
import { setIdentity } from './identity-headers.js';
import { MemoryKeyStore } from './key-store.js';
import { digestOf, KEY_LENGTH } from './key-text.js';
import { Keyring } from './keyring.js';
import type { Options } from './schema.js';

/** Lets requests pass that bring a valid API key, and tells everybody behind it whose they are. */
@injectable()
export class AuthApiKey implements GatewayPlugin<Options> {
  readonly #options: Options;
  readonly #id: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #keyring: Keyring;
  /** By the options that they stand in: routes without overrides share theirs. */
  readonly #configured = new WeakMap<Options, ConfiguredKeys>();
  /** One object for each key, so that others can keep what they know of a consumer. */
  readonly #consumers = new WeakMap<Grant, Consumer>();
  readonly hooks = { onStart: () => this.#keyring.load() };

  constructor(
    @inject(OPTIONS) options: Options,
    @inject(PLUGIN_ID) id: string,
    @inject(CLOCK) clock: Clock,
    @inject(LOGGER) logger: Logger,
    @inject(KEPT_STATE) kept: KeptState,
    @inject(DATA_DIRECTORY) dataDirectory: string,
  ) {
    this.#options = options;
    this.#id = id;
    this.#clock = clock;
    this.#logger = logger;
    // One for all instances of the plugin: they would overwrite each other's file.
    this.#keyring = kept.keep(`auth-apikey:${options.store}`, () => {
      const inFile = options.store === 'file';
      const store = inFile ? new FileKeyStore(join(dataDirectory, 'api-keys.json')) : new MemoryKeyStore();
      return new Keyring(store, clock);
    });
    this.#configuredIn(options);
  }

  middleware(route: Route, options: Options): GatewayMiddleware {
    const { optional } = options;
    const authentication = new Authentication(route, this.#id, options.mode);
    const configured = this.#configuredIn(options);
    const credentials = new CredentialTaker(options);
    const publicPaths = new PublicPaths(options.public);
    const service = route.service.name;
    return (ctx, next) => {
      const { gateway } = ctx;
      const key = credentials.take(gateway);
      if (authentication.isSettled(ctx)) return next();
      const grant = key === undefined ? undefined : this.#find(key, configured);
      if (grant !== undefined && permits(grant, service, ctx.method)) {
        const consumer = this.#consumerOf(grant);
        authentication.accept(ctx, consumer);
        // Another plugin may have named the consumer before; the upstream hears of one only.
        if (gateway.consumer === consumer) {
          setIdentity(gateway, { consumer: consumer.id, credential: grant.id, authenticatedBy: this.#id });
        }
      } else if (publicPaths.has(gateway.path) || (key === undefined && optional)) {
        notingFailure(ctx, key !== undefined, () => authentication.abstain(ctx));
      } else {
        const shown = key !== undefined;
        const error = grant === undefined ? unauthorized() : forbidden();
        notingFailure(ctx, shown, () => authentication.refuse(ctx, error, shown));
      }
      return next();
    };
  }

  admin(router: EndpointRouter): void {
    mountKeyRoutes(router, {
      keyring: this.#keyring,
      configured: this.#configuredIn(this.#options).grants,
      clock: this.#clock,
      logger: this.#logger,
    });
  }

  stats(): PluginStats {
    return { config: { enable_auth: true } };
  }

  #find(key: string, configured: ConfiguredKeys): Grant | undefined {
    if (key.length < KEY_LENGTH.minimum || key.length > KEY_LENGTH.maximum) return undefined;
    const digest = digestOf(key);
    return configured.index.find(digest, this.#clock.now()) ?? this.#keyring.find(digest);
  }

  #consumerOf(grant: Grant): Consumer {
    let consumer = this.#consumers.get(grant);
    if (consumer === undefined) {
      consumer = createConsumer(grant, this.#id);
      this.#consumers.set(grant, consumer);
    }
    return consumer;
  }

  #configuredIn(options: Options): ConfiguredKeys {
    let configured = this.#configured.get(options);
    if (configured === undefined) {
      configured = configuredKeys(options.keys, this.#id);
      this.#configured.set(options, configured);
    }
    return configured;
  }
}

function createConsumer({ id, consumer, rateLimit, expiresAt }: Grant, pluginId: string): Consumer {
  return {
    id: consumer,
    authenticatedBy: pluginId,
    credentialId: id,
    ...(rateLimit === undefined ? {} : { rateLimit }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
}

/** The same for no key, and for an unknown, an expired and a revoked one: which it was is nobody's business. */
function unauthorized(): GatewayError {
  return new GatewayError('UNAUTHORIZED', {
    message: 'A valid API key is required',
    headers: { 'WWW-Authenticate': 'ApiKey realm="gateway"' },
  });
}

function forbidden(): GatewayError {
  return new GatewayError('FORBIDDEN', { message: 'The API key does not allow this request' });
}
