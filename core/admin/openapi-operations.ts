import { ERRORS, type ErrorCode } from '../errors.js';
import { ref, type Schema } from './openapi-schemas.js';

/** What one method of a path does (OpenAPI 3.1 section 4.8.10). */
export type Operation = Readonly<Record<string, unknown>>;

const json = (description: string, schema: string) => ({
  description,
  content: { 'application/json': { schema: ref(schema) } },
});

/** The error responses of an operation, by status; the statuses that all of them share are added. */
function failures(...codes: ErrorCode[]): Record<string, Schema> {
  const byStatus: Record<string, Schema> = {};
  for (const code of codes) {
    byStatus[String(ERRORS[code].status)] = {
      description: `\`${code}\`: ${ERRORS[code].message}.`,
      content: {
        'application/json': { schema: ref('Error') },
        'application/problem+json': { schema: ref('Problem') },
      },
    };
  }
  return byStatus;
}

const ADMIN_FAILURES = failures('UNAUTHORIZED', 'FORBIDDEN');
const BODY_FAILURES = failures('BAD_REQUEST', 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE');
// A direct loopback caller needs nothing, anybody else the token.
const ADMIN_SECURITY = [{}, { adminToken: [] }];

function admin(id: string, summary: string, rest: Operation & { responses: object }): Operation {
  const { responses, ...others } = rest;
  return {
    operationId: id,
    tags: ['administration'],
    summary,
    security: ADMIN_SECURITY,
    ...others,
    responses: { ...responses, ...ADMIN_FAILURES },
  };
}

function open(id: string, summary: string, responses: object): Operation {
  return { operationId: id, tags: ['health'], summary, security: [], responses };
}

const NAME = {
  name: 'name',
  in: 'path',
  required: true,
  description: 'Name of the service.',
  schema: { type: 'string' },
};

const CIRCUIT_SERVICE = { ...NAME, name: 'service' };
const CIRCUIT_TARGET = {
  name: 'target',
  in: 'query',
  description: 'Origin of one target, where its service has a circuit for each; all of them by default.',
  schema: { type: 'string' },
};

function circuitAction(id: string, summary: string, description: string): Operation {
  return admin(id, summary, {
    description,
    parameters: [CIRCUIT_SERVICE, CIRCUIT_TARGET],
    responses: {
      200: json('The circuits as they are now.', 'ServiceCircuits'),
      ...failures('SERVICE_NOT_FOUND'),
    },
  });
}

const CONNECTION = {
  name: 'id',
  in: 'path',
  required: true,
  description: 'Id of the connection.',
  schema: { type: 'string' },
};

const inQuery = (name: string, description: string, schema: Schema) => ({
  name,
  in: 'query',
  required: false,
  description,
  schema,
});

const body = (schema: string) => ({
  required: true,
  content: { 'application/json': { schema: ref(schema) } },
});

/** The gateway's own routes: path, method, and what they do. */
export const OPERATIONS: Readonly<Record<string, Readonly<Record<string, Operation>>>> = {
  '/health': {
    get: open('getHealth', 'Whether the gateway is up, and how its services are', {
      200: json('The gateway takes requests.', 'Health'),
      503: json('The gateway is draining.', 'Health'),
    }),
  },
  '/health/live': {
    get: open('getLiveness', 'Whether the process is alive', { 200: json('It is.', 'Liveness') }),
  },
  '/health/ready': {
    get: open('getReadiness', 'Whether to send requests here', {
      200: json('The gateway takes requests.', 'Readiness'),
      503: json('The gateway is draining.', 'Readiness'),
    }),
  },
  '/api/v1/gateway/status': {
    get: admin('getStatus', 'The state of the gateway', { responses: { 200: json('The state.', 'Status') } }),
  },
  '/api/v1/gateway/stats': {
    get: admin('getStats', 'What the gateway has counted since its start', {
      responses: { 200: json('The counts.', 'Stats') },
    }),
  },
  '/api/v1/gateway/services': {
    get: admin('listServices', 'All services with their targets', {
      responses: { 200: json('The services.', 'Services') },
    }),
    post: admin('registerService', 'Register a service', {
      description: 'It is kept over restarts. Takes the place of a default service of that name.',
      requestBody: body('Registration'),
      responses: {
        201: {
          ...json('The service is registered, and kept.', 'NamedService'),
          headers: { Location: { description: 'Path of the service.', schema: { type: 'string' } } },
        },
        ...BODY_FAILURES,
        ...failures('CONFLICT'),
      },
    }),
  },
  '/api/v1/gateway/services/{name}': {
    get: admin('getService', 'One service with its targets', {
      parameters: [NAME],
      responses: { 200: json('The service.', 'NamedService'), ...failures('SERVICE_NOT_FOUND') },
    }),
    put: admin('replaceService', 'Replace the declaration of a service', {
      description: 'Only for services that were registered at run time, and defaults.',
      parameters: [NAME],
      requestBody: body('Declaration'),
      responses: {
        200: json('The service as it is now.', 'NamedService'),
        ...BODY_FAILURES,
        ...failures('SERVICE_NOT_FOUND', 'CONFLICT'),
      },
    }),
    delete: admin('removeService', 'Remove a service that was registered at run time', {
      parameters: [NAME],
      responses: {
        204: { description: 'The service is gone.' },
        ...failures('SERVICE_NOT_FOUND', 'CONFLICT'),
      },
    }),
  },
  '/api/v1/gateway/routes': {
    get: admin('listRoutes', 'All routes, and the plugins that their requests pass', {
      responses: { 200: json('The routes.', 'Routes') },
    }),
  },
  '/api/v1/gateway/plugins': {
    get: admin('listPlugins', 'The plugins in the order they run', {
      responses: { 200: json('The plugins.', 'Plugins') },
    }),
  },
  '/api/v1/gateway/circuits': {
    get: admin('listCircuits', 'All circuits of the circuit breaker', {
      responses: { 200: json('The circuits.', 'Circuits') },
    }),
  },
  '/api/v1/gateway/circuits/{service}': {
    get: admin('getCircuits', 'The circuits of one service', {
      parameters: [CIRCUIT_SERVICE],
      responses: { 200: json('The circuits.', 'ServiceCircuits'), ...failures('SERVICE_NOT_FOUND') },
    }),
  },
  '/api/v1/gateway/circuits/{service}/open': {
    post: circuitAction('openCircuit', 'Force a circuit open', 'It stays open until it is closed or reset.'),
  },
  '/api/v1/gateway/circuits/{service}/close': {
    post: circuitAction(
      'closeCircuit',
      'Force a circuit closed',
      'It stays closed, whatever fails, until it is opened or reset.',
    ),
  },
  '/api/v1/gateway/circuits/{service}/reset': {
    post: circuitAction(
      'resetCircuit',
      'Reset a circuit',
      'It is closed, forgets everything, and is held no more.',
    ),
  },
  '/api/v1/gateway/cache': {
    get: admin('getCache', 'What the response cache has counted', {
      responses: { 200: json('The counts.', 'Cache') },
    }),
    delete: admin('clearCache', 'Remove everything from the response cache', {
      responses: { 200: json('How many responses went.', 'Purged') },
    }),
  },
  '/api/v1/gateway/cache/entries': {
    get: admin('getCacheEntries', 'What is stored for one URL', {
      parameters: [
        {
          name: 'url',
          in: 'query',
          required: true,
          description: 'With the name of the service for a host, or the address of one of its targets.',
          schema: { type: 'string' },
          example: 'http://my-service/api/v1/items?page=1',
        },
      ],
      responses: { 200: json('The responses.', 'CacheEntries'), ...failures('BAD_REQUEST', 'NOT_FOUND') },
    }),
  },
  '/api/v1/gateway/cache/purge': {
    post: admin('purgeCache', 'Remove responses from the cache', {
      description: 'By one of: URL, prefix of URLs, service, tag, or all.',
      requestBody: body('Purge'),
      responses: { 200: json('How many responses went.', 'Purged'), ...BODY_FAILURES },
    }),
  },
  '/api/v1/gateway/websockets': {
    get: admin('listWebSockets', 'Open WebSockets and tunnels, the oldest first', {
      description: 'There where the plugin ws-proxy is configured.',
      parameters: [
        inQuery('service', 'Only those of this service.', { type: 'string' }),
        inQuery('limit', 'The most to list.', { type: 'integer', minimum: 0, maximum: 1000, default: 100 }),
        inQuery('offset', 'How many to leave out.', { type: 'integer', minimum: 0, default: 0 }),
      ],
      responses: { 200: json('The connections.', 'WebSockets'), ...failures('BAD_REQUEST') },
    }),
    delete: admin('closeWebSockets', 'Close the connections of one service, or all', {
      description:
        'There where the plugin ws-proxy is configured. One of the two parameters has to be given.',
      parameters: [
        inQuery('service', 'Only those of this service.', { type: 'string' }),
        inQuery('all', 'All of them.', { const: 'true' }),
      ],
      responses: { 200: json('How many were closed.', 'ClosedWebSockets'), ...failures('BAD_REQUEST') },
    }),
  },
  '/api/v1/gateway/websockets/{id}': {
    get: admin('getWebSocket', 'One open connection', {
      parameters: [CONNECTION],
      responses: { 200: json('The connection.', 'WebSocket'), ...failures('NOT_FOUND') },
    }),
    delete: admin('closeWebSocket', 'Close one connection', {
      parameters: [CONNECTION],
      responses: { 204: { description: 'It is being closed.' }, ...failures('NOT_FOUND') },
    }),
  },
  '/api/v1/gateway/openapi.json': {
    get: admin('getDescription', 'This description', {
      responses: {
        200: {
          description: 'An OpenAPI 3.1 document.',
          content: { 'application/json': { schema: { type: 'object' } } },
        },
      },
    }),
  },
};

/** A route that a plugin added, of which no more is known than that it is there. */
export function pluginOperation(parameters: readonly string[], isAdmin: boolean): Operation {
  return {
    tags: ['plugins'],
    summary: 'Added by a plugin',
    security: isAdmin ? ADMIN_SECURITY : [],
    ...(parameters.length === 0
      ? {}
      : {
          parameters: parameters.map((name) => ({
            name,
            in: 'path',
            required: true,
            schema: { type: 'string' },
          })),
        }),
    responses: {
      default: { description: 'See the documentation of the plugin.' },
      ...(isAdmin ? ADMIN_FAILURES : {}),
    },
  };
}
