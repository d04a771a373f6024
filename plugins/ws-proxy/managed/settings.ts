import type { WsProxyOptions } from '../options.js';

/** The smallest buffer; less than the operating system takes at once makes no sense. */
const SMALLEST_BUFFER = 64 * 1024;
/** What one read of a socket may still bring after it was paused, where it is compressed a hundredfold. */
const LATE_MESSAGES = 8 * 1024 * 1024;

/** What the managed mode takes from the options. */
export interface ManagedSettings
  extends Pick<
    WsProxyOptions,
    | 'closeTimeout'
    | 'deflate'
    | 'handshakeTimeout'
    | 'heartbeat'
    | 'maxMessage'
    | 'maxUpstreamMessage'
    | 'messagesPerSecond'
    | 'reconnect'
  > {
  /** Bytes that may wait for one side before the other is read no more. */
  readonly buffer: number;
  /** Bytes that never wait for one side: what was read already when the other was paused cannot come to more, but by an attack. */
  readonly most: number;
}

/** @throws Error for sizes that would mean no limit */
export function managedSettings(options: WsProxyOptions): ManagedSettings {
  for (const name of ['maxMessage', 'maxUpstreamMessage'] as const) {
    if (options[name] === 0) throw new Error(`ws-proxy: ${name} must be above 0`);
  }
  const buffer = Math.max(options.buffer, SMALLEST_BUFFER);
  const largest = Math.max(options.maxMessage, options.maxUpstreamMessage);
  return { ...options, buffer, most: buffer + largest + LATE_MESSAGES };
}
