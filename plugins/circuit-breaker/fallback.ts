import { type GatewayContext, type GatewayMiddleware, leadTo, type Service } from '../../core/index.js';
import { type GuardLookup, OpenCircuitError, seconds } from './attempts.js';
import { type CannedResponse, cannedResponse, type FallbackOptions } from './fallback-options.js';

/** What the fallback of a route works with. */
export interface FallbackParts {
  readonly lookUp: GuardLookup;
  /** The live service of that name. */
  readonly find: (name: string) => Service | undefined;
}

/**
 * What answers instead of a service whose circuit is open: another service, which is asked once and never falls back itself, or else
 * a response.
 */
export function createFallback(options: FallbackOptions, { lookUp, find }: FallbackParts): GatewayMiddleware {
  const { service: substitute } = options;
  const response = options.response === undefined ? undefined : cannedResponse(options.response);

  /** Leads the request to the other service, where that may be asked. */
  const redirect = (ctx: GatewayContext): boolean => {
    const { gateway } = ctx;
    if (substitute === undefined || substitute === gateway.service.name) return false;
    const service = find(substitute);
    if (!service?.healthy || lookUp(service)?.refuses) return false;
    leadTo(gateway, service);
    // What another service says must not be kept as this one's answer. Set before next(), it wins over the upstream's.
    ctx.set('Cache-Control', 'no-store');
    return true;
  };

  return (ctx, next) => {
    const { gateway } = ctx;
    const guarded = lookUp(gateway.service);
    if (guarded?.refuses && !redirect(ctx) && response !== undefined && gateway.kind === 'upgrade') {
      // Nobody attempts an upgrade within the onion, so nothing would be thrown here.
      gateway.decide('circuit', 'open');
      answer(ctx, response, seconds(guarded.retryAfter));
      return;
    }
    if (response === undefined) return next();
    return next().catch((failure: unknown) => {
      if (!(failure instanceof OpenCircuitError)) throw failure;
      answer(ctx, response, failure.headers?.['Retry-After'] ?? '1');
    });
  };
}

function answer(
  ctx: GatewayContext,
  { status, headers, body, retryAfter }: CannedResponse,
  retryAfterSeconds: string,
): void {
  ctx.status = status;
  for (const [name, value] of headers) ctx.set(name, value);
  if (retryAfter) ctx.set('Retry-After', retryAfterSeconds);
  ctx.body = body;
}
