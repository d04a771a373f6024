import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { GatewayError, type Target, upstreamError } from '../../../core/index.js';
import { RelaySocket } from './peer.js';
import type { ManagedSettings } from './settings.js';

/** A WebSocket to a target, which is not read yet. Its place in `target.active` is its owner's to give back. */
export interface OpenedUpstream {
  readonly target: Target;
  readonly socket: RelaySocket;
  readonly raw: Socket;
  /** The subprotocol that the target chose, or the empty string. */
  readonly protocol: string;
  /** The fields of its 101, names and values in turn. */
  readonly rawHeaders: readonly string[];
}

/** What a target was asked for. */
export interface UpstreamHandshake {
  readonly target: Target;
  /** Connected. */
  readonly raw: Socket;
  /** Path and query, sent byte for byte. */
  readonly path: string;
  /** Names and values in turn, without those of the handshake itself. */
  readonly fields: readonly string[];
  /** Subprotocols to offer. */
  readonly protocols: readonly string[];
}

/** Set by `ws`, or of no meaning for the next hop. */
const OWN_FIELDS = new Set([
  'sec-websocket-key',
  'sec-websocket-version',
  'sec-websocket-extensions',
  'sec-websocket-accept',
]);

/**
 * Makes the handshake with a target (RFC 6455 section 4.1).
 *
 * @returns the WebSocket; or the response of a target that did not agree, whose body is to be read or destroyed
 * @throws GatewayError; the reason of `signal`
 */
export function openUpstream(
  { target, raw, path, fields, protocols }: UpstreamHandshake,
  settings: ManagedSettings,
  signal: AbortSignal,
): Promise<OpenedUpstream | IncomingMessage> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const options = {
      createConnection: () => raw,
      headers: headersOf(fields, protocols),
      perMessageDeflate: settings.deflate.upstream,
      maxPayload: settings.maxUpstreamMessage,
      // Pings go to the other side, and so do its answers.
      autoPong: false,
      closeTimeout: settings.closeTimeout,
      finishRequest(request: { path: string; end(): void }) {
        // `ws` has parsed the URL, which does not leave every path as it is.
        request.path = path;
        request.end();
      },
    };
    // The address is not used: the connection is there, and `Host` among the headers.
    const socket = new RelaySocket('ws://upstream/', options);
    let protocol = '';
    let rawHeaders: readonly string[] = [];
    let settled = false;
    const settle = () => {
      settled = true;
      signal.removeEventListener('abort', onAbort);
    };
    const fail = (error: unknown) => {
      if (settled) return;
      settle();
      reject(upstreamError(error));
      raw.destroy();
    };
    const onAbort = () => fail(signal.reason);
    signal.addEventListener('abort', onAbort);
    socket.on('error', fail);
    socket.on('close', () => fail(new GatewayError('BAD_GATEWAY')));
    socket.on('upgrade', (response) => {
      rawHeaders = response.rawHeaders;
      protocol = response.headers['sec-websocket-protocol'] ?? '';
      if (protocol !== '' && !protocols.includes(protocol)) {
        fail(new Error(`The target chose a subprotocol that was not offered`));
        return;
      }
      // `ws` would not have a target that chooses none of those on offer, which is the client's to judge.
      delete response.headers['sec-websocket-protocol'];
    });
    socket.on('unexpected-response', (_request, response) => {
      settle();
      resolve(response);
    });
    socket.on('open', () => {
      if (settled) return;
      settle();
      socket.removeAllListeners();
      socket.on('error', ignore);
      // Nobody listens to its messages yet.
      socket.pause();
      resolve({ target, socket, raw, protocol, rawHeaders });
    });
  });
}

function ignore(): void {}

function headersOf(
  fields: readonly string[],
  protocols: readonly string[],
): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = Object.create(null);
  const names = new Map<string, string>();
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? '';
    const value = fields[i + 1] ?? '';
    const lower = name.toLowerCase();
    if (OWN_FIELDS.has(lower) || lower === 'sec-websocket-protocol') continue;
    // Node.js takes names that differ in case for one, and would keep the last.
    const known = names.get(lower) ?? name;
    names.set(lower, known);
    const before = headers[known];
    headers[known] = before === undefined ? value : [...[before].flat(), value];
  }
  if (protocols.length > 0) headers['Sec-WebSocket-Protocol'] = protocols.join(', ');
  return headers;
}
