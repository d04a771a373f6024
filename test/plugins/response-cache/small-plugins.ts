import { Type } from 'typebox';
import type { GatewayMiddleware, PluginDefinition } from '../../../core/index.js';

/** A plugin that is one middleware. */
export function middleware(name: string, handle: GatewayMiddleware): PluginDefinition {
  return {
    name,
    summary: 'For a test.',
    options: Type.Object({}),
    plugin: class {
      middleware() {
        return handle;
      }
    },
  };
}

/** Names the consumer that the field `x-who` does. */
export const WHO = middleware('who', (ctx, next) => {
  const who = ctx.get('x-who');
  if (who !== '') ctx.gateway.consumer = { id: who, authenticatedBy: 'who' };
  return next();
});
