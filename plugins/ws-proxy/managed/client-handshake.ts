import { type Exchange, GatewayError } from '../../../core/index.js';

/** RFC 6455 section 4.1: 16 bytes in base64. */
const KEY = /^[+/0-9A-Za-z]{21}[AQgw]==$/;
/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** More subprotocols than anybody offers. */
const MOST_PROTOCOLS = 100;

/**
 * Checks the client's side of the handshake (RFC 6455 section 4.2.1).
 *
 * @throws GatewayError UPGRADE_REQUIRED for another protocol or version, METHOD_NOT_ALLOWED, BAD_REQUEST
 */
export function checkClientHandshake({ req, hasBody }: Exchange): void {
  const { headers } = req;
  if (headers.upgrade?.toLowerCase() !== 'websocket') {
    throw new GatewayError('UPGRADE_REQUIRED', {
      message: 'Only WebSockets can be opened here',
      headers: { Upgrade: 'websocket', Connection: 'Upgrade, close' },
    });
  }
  if (req.method !== 'GET') {
    throw new GatewayError('METHOD_NOT_ALLOWED', {
      message: 'A WebSocket is opened with GET',
      headers: { Allow: 'GET' },
    });
  }
  if (req.httpVersion === '1.0') throw malformed('A WebSocket needs HTTP/1.1');
  if (hasBody) throw malformed('The opening handshake of a WebSocket has no body');
  if (headers['sec-websocket-version'] !== '13') {
    throw new GatewayError('UPGRADE_REQUIRED', {
      message: 'Only version 13 of WebSocket is known',
      headers: { 'Sec-WebSocket-Version': '13', Upgrade: 'websocket', Connection: 'Upgrade, close' },
    });
  }
  if (!KEY.test(headers['sec-websocket-key'] ?? '')) {
    throw malformed('The field Sec-WebSocket-Key is missing or malformed');
  }
}

/**
 * The subprotocols on offer in a `Sec-WebSocket-Protocol` field, the preferred first.
 *
 * @param fields names and values in turn
 * @throws GatewayError BAD_REQUEST for what is no list of different tokens
 */
export function offeredProtocols(fields: readonly string[]): readonly string[] {
  const offered: string[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    if (fields[i]?.toLowerCase() !== 'sec-websocket-protocol') continue;
    for (const protocol of (fields[i + 1] ?? '').split(',').map((entry) => entry.trim())) {
      if (!TOKEN.test(protocol) || offered.includes(protocol) || offered.length >= MOST_PROTOCOLS) {
        throw malformed('The field Sec-WebSocket-Protocol is malformed');
      }
      offered.push(protocol);
    }
  }
  return offered;
}

/**
 * The subprotocol that a client is told, or the empty string. Where all that it offered was taken for credentials by a plugin, its
 * first entry is accepted: browsers give a connection up that takes up none of theirs.
 *
 * @param chosen what the target chose, or the empty string
 */
export function protocolForClient(chosen: string, { req, upstreamHeaders: edits }: Exchange): string {
  const name = 'sec-websocket-protocol';
  if (chosen !== '' || !edits?.has(name) || edits.get(name) !== undefined) return chosen;
  return offeredProtocols(req.rawHeaders)[0] ?? '';
}

function malformed(message: string): GatewayError {
  return new GatewayError('BAD_REQUEST', { message });
}
