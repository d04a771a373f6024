import { Type } from 'typebox';
import {
  Duration,
  definePlugin,
  GatewayError,
  type GatewayMiddleware,
  type GatewayPlugin,
  type Route,
} from '../../../../core/index.js';

interface ReadOnlyOptions {
  /** Milliseconds. */
  readonly retryAfter: number;
}

/** RFC 9110 section 9.2.1. */
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

class ReadOnly implements GatewayPlugin<ReadOnlyOptions> {
  middleware(route: Route, { retryAfter }: ReadOnlyOptions): GatewayMiddleware | undefined {
    if (route.methods?.every((method) => SAFE_METHODS.has(method))) return undefined;
    const headers = { 'Retry-After': String(Math.ceil(retryAfter / 1000)) };
    return (ctx, next) => {
      if (SAFE_METHODS.has(ctx.method)) return next();
      const message = 'The service takes no changes at the moment';
      throw new GatewayError('SERVICE_UNAVAILABLE', { message, headers });
    };
  }
}

export default definePlugin({
  name: 'read-only',
  summary: 'Refuses requests that would change something.',
  options: Type.Object({
    retryAfter: Duration({ default: '60s', description: 'When clients are told to come back.' }),
  }),
  plugin: ReadOnly,
});
