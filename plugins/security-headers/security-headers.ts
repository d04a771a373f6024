import { inject, injectable } from 'tsyringe';
import {
  type EndpointContext,
  type EndpointMiddleware,
  type GatewayPlugin,
  OPTIONS,
  type Route,
} from '../../core/index.js';

/** Options of the security headers: the value of each field, or false to leave it alone. */
export interface SecurityHeadersOptions {
  readonly strictTransportSecurity: string | false;
  readonly contentTypeOptions: string | false;
  readonly frameOptions: string | false;
  readonly referrerPolicy: string | false;
  readonly permissionsPolicy: string | false;
  readonly contentSecurityPolicy: string | false;
  readonly hideServer: boolean;
}

/** Fields that tell which software answers, and so which weaknesses to try. */
const SERVER_FIELDS = ['Server', 'X-Powered-By', 'X-AspNet-Version', 'X-AspNetMvc-Version'];

/** Sets the fields by which browsers restrict what a response may do, on errors too. */
@injectable()
export class SecurityHeaders implements GatewayPlugin<SecurityHeadersOptions> {
  readonly #options: SecurityHeadersOptions;

  constructor(@inject(OPTIONS) options: SecurityHeadersOptions) {
    this.#options = options;
  }

  endpointMiddleware(): EndpointMiddleware {
    return this.#build(this.#options);
  }

  middleware(_route: Route, options: SecurityHeadersOptions): EndpointMiddleware {
    return this.#build(options);
  }

  #build(options: SecurityHeadersOptions): EndpointMiddleware {
    const fields = fieldsOf(options);
    const { strictTransportSecurity: hsts } = options;
    // Set before the rest runs, they are on errors as well, and stand instead of the upstream's.
    const setFields = (ctx: EndpointContext) => {
      for (const [name, value] of fields) ctx.set(name, value);
      // RFC 6797 section 7.2: not over plain http.
      if (hsts !== false && ctx.gateway.scheme === 'https') ctx.set('Strict-Transport-Security', hsts);
    };
    if (!options.hideServer) {
      return (ctx, next) => {
        setFields(ctx);
        return next();
      };
    }
    return async (ctx, next) => {
      setFields(ctx);
      try {
        await next();
      } finally {
        for (const name of SERVER_FIELDS) ctx.remove(name);
      }
    };
  }
}

function fieldsOf(options: SecurityHeadersOptions): (readonly [string, string])[] {
  const fields: [string, string | false][] = [
    ['X-Content-Type-Options', options.contentTypeOptions],
    ['X-Frame-Options', options.frameOptions],
    ['Referrer-Policy', options.referrerPolicy],
    ['Permissions-Policy', options.permissionsPolicy],
    ['Content-Security-Policy', options.contentSecurityPolicy],
  ];
  return fields.flatMap(([name, value]) => (value === false ? [] : [[name, value] as const]));
}
