import { randomBytes } from 'node:crypto';
import { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { GatewayError } from '../errors.js';
import { type Http2Connect, StreamSocket } from './stream-socket.js';

/** Fields of a CONNECT that the upgrade request gets anew. */
const REPLACED = new Set(['cookie', 'sec-websocket-key']);

/** What a CONNECT that asks for no protocol is told. */
export const NO_PROXY = { message: 'The gateway is no proxy for CONNECT' };

/** What stands for a CONNECT in the rest of the gateway. */
export interface ConnectUpgrade {
  readonly req: IncomingMessage;
  readonly socket: Socket;
}

/**
 * Turns an extended CONNECT, by which a WebSocket is opened in HTTP/2 (RFC 8441), into the upgrade request that it would be in
 * HTTP/1.1, and its stream into the socket of that request; so that everything behind knows one kind of upgrade only.
 *
 * @throws GatewayError NOT_IMPLEMENTED for a CONNECT that asks for no WebSocket (RFC 9110 section 9.3.6: this is no forward proxy;
 *   RFC 9220 section 3: nor are there other protocols), BAD_REQUEST for a path that is none
 */
export function upgradeOf(connect: Http2Connect): ConnectUpgrade {
  const protocol = connect.headers[':protocol'];
  if (typeof protocol !== 'string') throw new GatewayError('NOT_IMPLEMENTED', NO_PROXY);
  if (protocol.toLowerCase() !== 'websocket') {
    throw new GatewayError('NOT_IMPLEMENTED', { message: 'Only WebSockets can be opened with CONNECT' });
  }
  // With a scheme that it does not know, the HTTP/2 library lets anything pass.
  if (connect.url?.startsWith('/') !== true) {
    throw new GatewayError('BAD_REQUEST', { message: 'The request target must start with a slash' });
  }
  const key = randomBytes(16).toString('base64');
  const stream = new StreamSocket(connect, key);
  // Node's types ask for a Socket where a Duplex with the members below does.
  const socket = stream as Duplex as Socket;
  return { req: upgradeRequest(connect, socket, key), socket };
}

function upgradeRequest(connect: Http2Connect, socket: Socket, key: string): IncomingMessage {
  const { rawHeaders: raw, headers: fields } = connect;
  const authority = String(fields[':authority'] ?? '');
  const own = {
    host: authority,
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-key': key,
    // RFC 9113 section 8.2.3: one Cookie field, where HTTP/2 may have several.
    ...(fields.cookie === undefined ? {} : { cookie: fields.cookie }),
  };
  const req = new IncomingMessage(socket);
  req.method = 'GET';
  req.url = connect.url ?? '';
  // How it came, for Via and traces; its form, and what it is framed by, are those of HTTP/1.1.
  req.httpVersion = connect.httpVersion;
  req.httpVersionMajor = 1;
  req.httpVersionMinor = 1;
  const rawHeaders = Object.entries(own).flat();
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? '';
    const value = raw[i + 1] ?? '';
    // A Host that says something else stays, and the request is refused for having two.
    if (name.startsWith(':') || REPLACED.has(name) || (name === 'host' && value === authority)) continue;
    rawHeaders.push(name, value);
  }
  req.rawHeaders = rawHeaders;
  req.headers = { ...Object.fromEntries(Object.entries(fields).filter(([name]) => name[0] !== ':')), ...own };
  req.complete = true;
  req.push(null);
  return req;
}
