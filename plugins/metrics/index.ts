import { Type } from 'typebox';
import { definePlugin } from '../../core/index.js';
import { Metrics } from './metrics.js';

const Seconds = (standard: readonly number[], description: string) =>
  Type.Array(Type.Number({ exclusiveMinimum: 0, maximum: 86_400 }), {
    minItems: 1,
    maxItems: 50,
    default: [...standard],
    description,
  });

const STANDARD = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export default definePlugin({
  name: 'metrics',
  summary: 'Metrics for Prometheus at `/metrics`.',
  options: Type.Object({
    path: Type.String({
      pattern: '^/[a-zA-Z0-9._/-]*$',
      default: '/metrics',
      description: 'Where the metrics are; below `/api/v1/gateway` with `access: admin`.',
    }),
    access: Type.Enum(['public', 'admin'], {
      default: 'public',
      description: 'Who may read them: anybody who reaches the port, or administrators.',
    }),
    token: Type.Optional(
      Type.String({
        minLength: 16,
        secret: true,
        description: 'What a scraper must show as its bearer token; with `access: public`.',
      }),
    ),
    buckets: Type.Object(
      {
        requests: Seconds(STANDARD, 'Upper bounds of `gateway_requests_duration`, in seconds.'),
        upstream: Seconds(STANDARD, 'Upper bounds of `gateway_upstream_duration_seconds`, in seconds.'),
      },
      { additionalProperties: false, default: {}, description: 'The buckets of the histograms.' },
    ),
    process: Type.Boolean({
      default: true,
      description: 'Whether there are metrics of the process and its event loop too.',
    }),
  }),
  plugin: Metrics,
});
