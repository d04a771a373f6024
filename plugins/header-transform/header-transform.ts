import { inject, injectable } from 'tsyringe';
import {
  ConfigurationError,
  type GatewayMiddleware,
  type GatewayPlugin,
  PLUGIN_ID,
  type Route,
} from '../../core/index.js';
import { RequestRules } from './request-rules.js';
import { ResponseRules } from './response-rules.js';
import { type RequestOptions, type ResponseOptions, RuleReader } from './rules.js';

/** Options of the header transformation. */
export interface HeaderTransformOptions {
  readonly request: RequestOptions;
  readonly response: ResponseOptions;
}

/** Edits header fields of requests on their way to the upstream, and of responses on their way to the client. */
@injectable()
export class HeaderTransform implements GatewayPlugin<HeaderTransformOptions> {
  readonly #pluginId: string;

  constructor(@inject(PLUGIN_ID) pluginId: string) {
    this.#pluginId = pluginId;
  }

  /** @throws ConfigurationError with every field and value that cannot be */
  middleware(route: Route, options: HeaderTransformOptions): GatewayMiddleware | undefined {
    const { request, response } = this.#rulesOf(route, options);
    if (request.isEmpty && response.isEmpty) return undefined;
    if (!response.editsHead) {
      return (ctx, next) => {
        request.apply(ctx.gateway);
        response.before(ctx);
        return next();
      };
    }
    return async (ctx, next) => {
      request.apply(ctx.gateway);
      response.before(ctx);
      try {
        await next();
      } finally {
        response.after(ctx);
      }
    };
  }

  #rulesOf(route: Route, options: HeaderTransformOptions) {
    const file = `plugin ${this.#pluginId}, route ${route.id}`;
    const requests = new RuleReader(file, 'request');
    const responses = new RuleReader(file, 'response');
    const request = new RequestRules(options.request, requests);
    const response = new ResponseRules(options.response, responses);
    const mistakes = [...requests.mistakes, ...responses.mistakes];
    if (mistakes.length > 0) throw new ConfigurationError(mistakes);
    return { request, response };
  }
}
