import type { IncomingMessage } from 'node:http';
import type { EndToEndFields, GatewayContext } from '../../core/index.js';

/** Set by the gateway for every message of its own. */
const FRAMING = new Set(['content-length', 'transfer-encoding']);
const BODILESS = new Set([204, 205, 304]);

/** Makes the response of a target that did not agree to an upgrade the client's: status, fields, and body as it comes. */
export function passResponse(ctx: GatewayContext, response: IncomingMessage, fields: EndToEndFields): void {
  const { gateway, res } = ctx;
  const status = response.statusCode ?? 502;
  ctx.status = status;
  setGatewayFields(ctx);
  if (BODILESS.has(status)) {
    response.destroy();
    ctx.body = '';
    ctx.status = status;
  } else {
    ctx.body = response;
    // Koa takes a stream for a download of its own.
    ctx.remove('Content-Type');
  }
  const kept = fields.of(response.rawHeaders);
  const length = response.headers['content-length'];
  for (let i = 0; i + 1 < kept.length; i += 2) {
    const name = kept[i] ?? '';
    if (!FRAMING.has(name.toLowerCase())) res.appendHeader(name, kept[i + 1] ?? '');
  }
  if (length !== undefined && !BODILESS.has(status)) ctx.set('Content-Length', length);
  gateway.res.once('close', () => response.destroy());
}

/** The fields that every response from a service has. */
function setGatewayFields(ctx: GatewayContext): void {
  ctx.set('X-Gateway-Service', ctx.gateway.service.name);
  ctx.set('X-Request-Id', ctx.gateway.requestId);
}

/** What the handshake itself says, on either side. */
const HANDSHAKE = new Set([
  'connection',
  'upgrade',
  'content-length',
  'content-type',
  'transfer-encoding',
  'sec-websocket-accept',
  'sec-websocket-protocol',
  'sec-websocket-extensions',
]);

/**
 * The fields of the 101 beside those of the handshake: what plugins have set, and the target's own. Names and values in turn.
 *
 * @param own fields of the handshake that the target's count for too, in tunnels
 */
export function switchingFields(
  ctx: GatewayContext,
  rawHeaders: readonly string[],
  fields: EndToEndFields,
): string[] {
  setGatewayFields(ctx);
  const result: string[] = [];
  const set = new Set<string>();
  for (const [name, value] of Object.entries(ctx.res.getHeaders())) {
    if (HANDSHAKE.has(name) || value === undefined) continue;
    set.add(name);
    for (const each of [value].flat()) result.push(name, String(each));
  }
  const kept = fields.of(rawHeaders);
  for (let i = 0; i + 1 < kept.length; i += 2) {
    const name = kept[i] ?? '';
    const lower = name.toLowerCase();
    if (HANDSHAKE.has(lower) || (set.has(lower) && lower !== 'set-cookie')) continue;
    result.push(name, kept[i + 1] ?? '');
  }
  return result;
}
