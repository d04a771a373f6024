import { Type } from 'typebox';
import { definePlugin } from '../../core/index.js';
import { STICKY } from './options.js';
import { TrafficSplit } from './traffic-split.js';

const closed = { additionalProperties: false };

export default definePlugin({
  name: 'traffic-split',
  summary: 'Spreads the requests of a route over several services by weight: canary releases, experiments.',
  options: Type.Object({
    to: Type.Array(
      Type.Object(
        {
          service: Type.String({ minLength: 1, description: 'Name of the service.' }),
          weight: Type.Number({
            minimum: 0,
            maximum: 1_000_000,
            default: 1,
            description: 'Its share, relative to the others’; 0 for forced requests only.',
          }),
        },
        closed,
      ),
      {
        default: [],
        description: 'The services, usually the route’s own among them. Empty: nothing is split.',
      },
    ),
    sticky: Type.Enum([...STICKY], {
      default: 'consumer',
      description:
        'What keeps requests together at one service; requests without it go by the client’s address. `none`: each by chance.',
    }),
    stickyKey: Type.Optional(
      Type.String({ minLength: 1, description: 'Name of the cookie or header, for those.' }),
    ),
    force: Type.Array(
      Type.Object(
        {
          header: Type.Optional(Type.String({ minLength: 1, description: 'Name of a header field; or' })),
          cookie: Type.Optional(Type.String({ minLength: 1, description: 'name of a cookie.' })),
          value: Type.String({ description: 'The value that it must have, exactly.' }),
          service: Type.String({ minLength: 1, description: 'The service of `to` that it leads to.' }),
        },
        closed,
      ),
      {
        default: [],
        description: 'Requests that choose for themselves; the first that fits wins.',
      },
    ),
    fallback: Type.Boolean({
      default: true,
      description: 'Where a service has no healthy target, its requests go to the others.',
    }),
  }),
  order: {
    after: ['ip-restriction', 'cors', 'auth-jwt', 'auth-apikey'],
    before: ['response-cache', 'circuit-breaker', 'traffic-shadow'],
  },
  plugin: TrafficSplit,
});
