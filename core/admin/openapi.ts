import type { EndpointRouter } from '../plugin.js';

export function mountOpenApiRoute(router: EndpointRouter, version: string): void {
  router.get('/openapi.json', (ctx) => {
    ctx.body = { openapi: '3.1.0', info: { title: 'API gateway administration', version }, paths: {} };
  });
}
