import { resolve } from 'node:path';
import { inject, injectable } from 'tsyringe';
import {
  BASE_DIRECTORY,
  type GatewayMiddleware,
  type GatewayPlugin,
  OPTIONS,
  PLUGIN_ID,
  type Route,
} from '../../core/index.js';
import type { RequestValidatorOptions } from './options.js';
import { RequestChecks } from './request-checks.js';

/** Refuses requests that are not what the service expects, before it sees them. */
@injectable()
export class RequestValidator implements GatewayPlugin<RequestValidatorOptions> {
  readonly #id: string;
  /** The entry's own options, which most routes have; what is compiled from them is shared. */
  readonly #options: RequestValidatorOptions;
  readonly #baseDirectory: string;
  readonly #checks: RequestChecks;

  /** @throws ConfigurationError with every mistake in a schema, or in the OpenAPI document */
  constructor(
    @inject(OPTIONS) options: RequestValidatorOptions,
    @inject(PLUGIN_ID) id: string,
    @inject(BASE_DIRECTORY) baseDirectory: string,
  ) {
    this.#id = id;
    this.#options = options;
    this.#baseDirectory = baseDirectory;
    this.#checks = this.#compile(options, id);
  }

  middleware(route: Route, options: RequestValidatorOptions): GatewayMiddleware {
    const checks = this.#checksFor(route, options);
    return (ctx, next) => {
      const pending = checks.check(ctx.gateway);
      return pending === undefined ? next() : pending.then(next);
    };
  }

  #checksFor(route: Route, options: RequestValidatorOptions): RequestChecks {
    if (options === this.#options) return this.#checks;
    return this.#compile(options, `${this.#id} on the route ${route.id}`);
  }

  #compile(options: RequestValidatorOptions, where: string): RequestChecks {
    const { openapi } = options;
    if (openapi === undefined) return new RequestChecks(options, where);
    const file = resolve(this.#baseDirectory, openapi.file);
    return new RequestChecks({ ...options, openapi: { ...openapi, file } }, where);
  }
}
