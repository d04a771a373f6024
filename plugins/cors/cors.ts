import koaCors from '@koa/cors';
import { inject, injectable } from 'tsyringe';
import {
  ConfigurationError,
  type EndpointContext,
  type EndpointMiddleware,
  type GatewayPlugin,
  OPTIONS,
  PLUGIN_ID,
  type Route,
} from '../../core/index.js';
import { Origins } from './origins.js';

/** Options of cors. */
export interface CorsOptions {
  readonly origins: readonly string[];
  readonly methods: readonly string[];
  /** Request fields that a page may send; those that it asks for where the list is empty. */
  readonly headers: readonly string[];
  readonly exposed: readonly string[];
  readonly credentials: boolean;
  /** Milliseconds. */
  readonly maxAge: number;
  readonly privateNetwork: boolean;
}

/** The fields of responses that the Fetch standard (section 3.2.3) gives a meaning in CORS. */
const FIELDS = [
  'Access-Control-Allow-Origin',
  'Access-Control-Allow-Credentials',
  'Access-Control-Expose-Headers',
  'Access-Control-Allow-Methods',
  'Access-Control-Allow-Headers',
  'Access-Control-Max-Age',
  'Access-Control-Allow-Private-Network',
];

/**
 * Answers preflights, and tells browsers which pages may read responses. The gateway alone decides: what an upstream
 * says about it is left out.
 */
@injectable()
export class Cors implements GatewayPlugin<CorsOptions> {
  readonly #pluginId: string;
  readonly #options: CorsOptions;

  constructor(@inject(PLUGIN_ID) pluginId: string, @inject(OPTIONS) options: CorsOptions) {
    this.#pluginId = pluginId;
    this.#options = options;
  }

  /** @throws ConfigurationError for credentials with any origin */
  middleware(route: Route, options: CorsOptions): EndpointMiddleware {
    return this.#build(options, `route ${route.id}`);
  }

  /** @throws ConfigurationError for credentials with any origin */
  endpointMiddleware(): EndpointMiddleware {
    return this.#build(this.#options, 'options');
  }

  #build(options: CorsOptions, place: string): EndpointMiddleware {
    const origins = new Origins(options.origins);
    this.#check(origins, options, place);
    const cors = koaCors(koaOptions(origins, options));
    const own = new Set(ownFields(options));
    const foreign = FIELDS.filter((name) => !own.has(name));
    return async (ctx, next) => {
      const { origin } = ctx.req.headers;
      const allowed = origins.any || (origin !== undefined && origins.has(origin));
      // The answer to other origins differs, and a cache in between must know.
      if (!allowed) ctx.vary('Origin');
      if (isPreflight(ctx)) {
        if (allowed) return cors(ctx, noNext);
        // Without the fields, the browser does not send the request itself.
        ctx.status = 204;
        return;
      }
      const named = allowed && ctx.method !== 'OPTIONS';
      try {
        await (allowed ? cors(ctx, next) : next());
      } finally {
        for (const name of named ? foreign : FIELDS) ctx.remove(name);
        // What an inner plugin has kept of an earlier response may name the origin of that one.
        if (named) ctx.set('Access-Control-Allow-Origin', origins.any ? '*' : (origin ?? ''));
      }
    };
  }

  #check(origins: Origins, { credentials }: CorsOptions, place: string): void {
    if (!credentials || !origins.any) return;
    const fault = {
      path: 'credentials',
      found: 'true with the origin "*"',
      expected: 'false, or the origins that are trusted: any page could act as whoever is signed in',
    };
    throw new ConfigurationError([{ file: `plugin ${this.#pluginId}, ${place}`, ...fault }]);
  }
}

/** The preflight of the Fetch standard, section 3.2.2: an OPTIONS request with both fields. */
function isPreflight(ctx: EndpointContext): boolean {
  const { method, headers } = ctx.req;
  return (
    method === 'OPTIONS' &&
    headers.origin !== undefined &&
    headers['access-control-request-method'] !== undefined
  );
}

const noNext = () => Promise.resolve();

function koaOptions(origins: Origins, options: CorsOptions): koaCors.Options {
  return {
    // Only asked about requests of origins that may.
    origin: (ctx) => (origins.any ? '*' : ctx.get('Origin')),
    allowMethods: [...options.methods],
    ...(options.headers.length === 0 ? {} : { allowHeaders: [...options.headers] }),
    ...(options.exposed.length === 0 ? {} : { exposeHeaders: [...options.exposed] }),
    credentials: options.credentials,
    maxAge: String(Math.floor(options.maxAge / 1000)),
    privateNetworkAccess: options.privateNetwork,
    // The gateway's error boundary keeps what is set before an error.
    keepHeadersOnError: false,
  };
}

/** The fields that stand in responses to allowed origins. */
function ownFields({ credentials, exposed }: CorsOptions): string[] {
  return [
    'Access-Control-Allow-Origin',
    ...(credentials ? ['Access-Control-Allow-Credentials'] : []),
    ...(exposed.length > 0 ? ['Access-Control-Expose-Headers'] : []),
  ];
}
