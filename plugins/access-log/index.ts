import { Type } from 'typebox';
import { Duration, definePlugin } from '../../core/index.js';
import { AccessLog } from './access-log.js';
import { STATUS_PATTERN } from './sampling.js';

const Share = (annotations: { default?: number; description: string }) =>
  Type.Number({ minimum: 0, maximum: 1, ...annotations });

export default definePlugin({
  name: 'access-log',
  summary: 'Writes one line per request.',
  options: Type.Object({
    client: Type.Boolean({ default: true, description: 'Whether the line has the address of the client.' }),
    file: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          'File that the lines are appended to; relative to the configuration file. The log of the gateway by default.',
      }),
    ),
    sample: Share({
      default: 1,
      description: 'Share of the requests that are logged where no rule applies.',
    }),
    rules: Type.Array(
      Type.Object({
        status: Type.Union(
          [Type.Integer({ minimum: 100, maximum: 599 }), Type.String({ pattern: STATUS_PATTERN })],
          {
            description: "Status of the response: 404, 4xx, 400-499 or '>=500'.",
          },
        ),
        sample: Share({ description: 'Share of these requests that are logged.' }),
      }),
      { default: [], description: 'Shares for certain statuses; the first rule that applies counts.' },
    ),
    slow: Type.Optional(
      Duration({ minimum: 1, description: 'Requests that took at least this long are logged in any case.' }),
    ),
  }),
  plugin: AccessLog,
});
