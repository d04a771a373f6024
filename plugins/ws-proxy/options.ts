import { type Static, Type } from 'typebox';
import { Duration, Size } from '../../core/index.js';

const closed = { additionalProperties: false } as const;
const LONGEST_TIMER = 2 ** 31 - 1;
const Timer = (options: Parameters<typeof Duration>[0]) => Duration({ ...options, maximum: LONGEST_TIMER });
const Limit = (description: string, fallback = 0) =>
  Type.Integer({ minimum: 0, maximum: 10_000_000, default: fallback, description });

/** The options of ws-proxy. */
export const OptionsSchema = Type.Object({
  mode: Type.Enum(['managed', 'tunnel'], {
    default: 'managed',
    description:
      '`managed` relays WebSocket messages; `tunnel` passes bytes, of any protocol that is asked for with `Upgrade`.',
  }),
  handshakeTimeout: Timer({
    default: '10s',
    minimum: 1,
    description: 'From the upgrade request until the target has agreed to it; then 504.',
  }),
  idleTimeout: Timer({
    default: '10m',
    description: 'A connection on which nothing goes either way for so long is closed. 0 for never.',
  }),
  maxLifetime: Duration({ default: 0, description: 'The longest that a connection is kept. 0 for ever.' }),
  heartbeat: Type.Object(
    {
      interval: Timer({
        default: '30s',
        description: 'Silence of a side after which it is sent a ping; managed mode. 0 for none.',
      }),
      timeout: Timer({
        default: '10s',
        minimum: 1000,
        description: 'A side that does not answer it in this time is taken for gone.',
      }),
    },
    { ...closed, default: {}, description: 'Pings of the gateway’s own.' },
  ),
  closeTimeout: Timer({
    default: '10s',
    minimum: 100,
    description: 'Time that a side has to answer a close, or to take what is still to be sent to it.',
  }),
  maxMessage: Size({
    default: '1mb',
    description: 'Largest message of a client; a larger one closes the connection with 1009. Managed mode.',
  }),
  maxUpstreamMessage: Size({
    default: '16mb',
    description: 'Largest message of a target; a larger one closes the connection with 1014. Managed mode.',
  }),
  messagesPerSecond: Limit(
    'Most frames a second that are taken from a client; the others wait, and it is read no more. 0 for no limit. Managed mode.',
  ),
  buffer: Size({
    default: '256kb',
    description:
      'Bytes that may wait for a slow side, or for a reconnect, before the other side is read no more; at least 64kb. Managed mode.',
  }),
  connections: Type.Object(
    {
      total: Limit('Most open connections; more get 503. 0 for no limit.', 100_000),
      perService: Limit('Most open connections to one service; more get 503. 0 for no limit.'),
      perClient: Limit(
        'Most open connections of one client: a consumer, or an address (IPv6: one /64); more get 429. 0 for no limit.',
      ),
    },
    { ...closed, default: {}, description: 'How many connections may be open.' },
  ),
  origins: Type.Array(
    Type.String({ pattern: '^(?:null|https?://(?:\\*\\.)?[a-z0-9.:\\[\\]-]+)$', maxLength: 300 }),
    {
      default: [],
      description:
        'Origins of the pages that may connect, `https://*.example.com` among them; others get 403. Any by default, and any caller that sends none.',
    },
  ),
  deflate: Type.Object(
    {
      client: Type.Boolean({ default: false, description: 'Take up a client’s offer to compress.' }),
      upstream: Type.Boolean({ default: false, description: 'Offer the targets to compress.' }),
    },
    { ...closed, default: {}, description: 'permessage-deflate (RFC 7692) on each side; managed mode.' },
  ),
  reconnect: Type.Object(
    {
      enabled: Type.Boolean({
        default: true,
        description: 'Keep the client and connect again when a connection to a target breaks. Managed mode.',
      }),
      attempts: Type.Integer({ minimum: 1, maximum: 1000, default: 10, description: 'Attempts in a row.' }),
      minDelay: Timer({ default: '100ms', minimum: 1, description: 'The longest wait before the first.' }),
      maxDelay: Timer({ default: '5s', minimum: 1, description: 'The longest wait: it doubles up to this.' }),
      codes: Type.Array(Type.Integer({ minimum: 1000, maximum: 4999 }), {
        default: [],
        description: 'Close codes of a target that count as a break too, `1012` for example.',
      }),
    },
    { ...closed, default: {}, description: 'What happens when a target goes away.' },
  ),
  drainGrace: Timer({
    default: '1s',
    description: 'When the gateway stops: how long connections go on before they are closed with 1001.',
  }),
});

/** The options of ws-proxy, validated. */
export type WsProxyOptions = Static<typeof OptionsSchema>;
