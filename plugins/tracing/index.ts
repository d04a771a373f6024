import { Type } from 'typebox';
import { Duration, definePlugin } from '../../core/index.js';
import { Tracing } from './tracing.js';

export default definePlugin({
  name: 'tracing',
  summary: 'Passes traces on (W3C Trace Context), and exports spans to an OpenTelemetry collector.',
  options: Type.Object({
    endpoint: Type.String({
      pattern: '^https?://',
      default: 'http://localhost:4318/v1/traces',
      description: 'Where spans are sent: the URL of an OTLP/HTTP receiver, with its path.',
    }),
    headers: Type.Record(Type.String(), Type.String({ secret: true }), {
      default: {},
      description: 'Header fields that the collector asks for, such as its API key.',
    }),
    gzip: Type.Boolean({ default: false, description: 'Whether what is sent is compressed.' }),
    sample: Type.Number({
      minimum: 0,
      maximum: 1,
      default: 0.1,
      description:
        'Share of the traces begun here that are recorded. A trace that is taken up is as its caller decided.',
    }),
    accept: Type.Enum(['trusted', 'all', 'none'], {
      default: 'trusted',
      description:
        'From whom traces are taken up: trusted proxies, everybody or nobody. Others begin a new one.',
    }),
    serviceName: Type.String({
      minLength: 1,
      default: 'api-gateway',
      description: 'Name of the gateway in traces (service.name).',
    }),
    attributes: Type.Record(Type.String(), Type.String(), {
      default: {},
      description: 'What else describes this gateway, such as deployment.environment.name.',
    }),
    client: Type.Boolean({ default: true, description: 'Whether spans have the address of the client.' }),
    endpoints: Type.Boolean({
      default: true,
      description: 'Whether requests that no route takes, health checks and admin calls get spans as well.',
    }),
    responseHeader: Type.Enum(['errors', 'always', 'never'], {
      default: 'errors',
      description: 'Which responses have the id of their trace in X-Trace-Id.',
    }),
    timeout: Duration({
      minimum: 100,
      maximum: 60_000,
      default: '5s',
      description: 'For sending a batch, retries included.',
    }),
    interval: Duration({
      minimum: 10,
      maximum: 60_000,
      default: '5s',
      description: 'Longest time that a span waits for its batch to fill.',
    }),
    batch: Type.Integer({ minimum: 1, maximum: 10_000, default: 512, description: 'Most spans in a batch.' }),
    queue: Type.Integer({
      minimum: 1,
      maximum: 100_000,
      default: 4096,
      description: 'Most spans that wait or are on their way; further ones are dropped and counted.',
    }),
    stopTimeout: Duration({
      maximum: 60_000,
      default: '5s',
      description: 'How long a stop waits for spans to be sent.',
    }),
  }),
  // They write the trace's id, also of requests that reach no route's onion.
  order: { before: ['access-log', 'metrics'] },
  plugin: Tracing,
});
