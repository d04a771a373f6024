import type { EndpointRouter } from '../plugin.js';
import { OPERATIONS, type Operation, pluginOperation } from './openapi-operations.js';
import { SCHEMAS } from './openapi-schemas.js';

/** What the description is made of. */
export interface DescriptionView {
  readonly version: string;
  /** Has the admin routes, those of plugins too. */
  readonly admin: EndpointRouter;
  /** Has the endpoints that anybody may call. */
  readonly open: EndpointRouter;
}

/** `GET /api/v1/gateway/openapi.json`: the routes that the gateway answers itself, as an OpenAPI 3.1 document. */
export function mountOpenApiRoute(router: EndpointRouter, view: DescriptionView): void {
  router.get('/openapi.json', (ctx) => {
    ctx.body = openApiDocument(view);
  });
}

/** Methods that a path of OpenAPI 3.1 can describe (section 4.8.9); HEAD comes with GET. */
const METHODS: ReadonlySet<string> = new Set(['get', 'put', 'post', 'delete', 'options', 'patch', 'trace']);

/** The document for the routes that are mounted now. */
function openApiDocument({ version, admin, open }: DescriptionView): object {
  const paths: Record<string, Record<string, Operation>> = {};
  for (const router of [open, admin]) {
    for (const { path, methods } of router.stack) {
      const { template, parameters } = pathTemplate(String(path));
      for (const method of methods.map((name) => name.toLowerCase())) {
        if (!METHODS.has(method)) continue;
        paths[template] ??= {};
        paths[template][method] ??=
          OPERATIONS[template]?.[method] ?? pluginOperation(parameters, router === admin);
      }
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'API gateway',
      version,
      description:
        'What the gateway answers itself: health, administration, and what its plugins add. Admin routes answer direct ' +
        'callers from the same machine, and holders of the admin token.',
    },
    servers: [{ url: '/' }],
    tags: [
      { name: 'health', description: 'For load balancers and orchestrators.' },
      { name: 'administration', description: 'For administrators only.' },
      { name: 'plugins', description: 'Added by plugins; see their documentation.' },
    ],
    paths,
    components: {
      schemas: SCHEMAS,
      securitySchemes: {
        adminToken: {
          type: 'http',
          scheme: 'bearer',
          description:
            '`admin.token` of the configuration. A direct caller from the same machine needs none.',
        },
      },
    },
  };
}

/** `/keys/:id` as `/keys/{id}`; `*rest` stands for more than one segment, which a template cannot say. */
function pathTemplate(path: string): { template: string; parameters: string[] } {
  const parameters: string[] = [];
  const template = path.replace(/[:*](\w+)/g, (_, name: string) => {
    parameters.push(name);
    return `{${name}}`;
  });
  return { template, parameters };
}
