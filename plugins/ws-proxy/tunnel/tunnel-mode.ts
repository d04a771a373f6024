import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import {
  type AttemptUpgrade,
  type GatewayContext,
  GatewayError,
  type Target,
  type UpgradeSocket,
  type UpstreamHead,
} from '../../../core/index.js';
import type { RecordInit } from '../connection-record.js';
import { Handshake } from '../handshake.js';
import { protocolForClient } from '../managed/client-handshake.js';
import { type ModeParts, withHost } from '../mode-parts.js';
import type { WsProxyOptions } from '../options.js';
import { passResponse, switchingFields } from '../upstream-response.js';
import { HttpProxyHandshake } from './http-proxy-handshake.js';
import { Tunnel } from './tunnel.js';

/** RFC 9110 section 7.8: `name` or `name/version`, one or more. */
const UPGRADE = /^[!#$%&'*+.^_`|~0-9A-Za-z/, -]+$/;

/** Passes bytes both ways once a target has agreed to the upgrade, whatever the protocol is. */
export class TunnelMode {
  readonly #options: WsProxyOptions;
  readonly #parts: ModeParts;
  readonly #handshakes = new HttpProxyHandshake();

  constructor(options: WsProxyOptions, parts: ModeParts) {
    this.#options = options;
    this.#parts = parts;
  }

  /** @throws GatewayError BAD_REQUEST */
  check({ gateway: { req, hasBody } }: GatewayContext): void {
    // Nothing of the request but its head is forwarded, and what follows must never be taken for another request.
    if (hasBody)
      throw new GatewayError('BAD_REQUEST', { message: 'An upgrade request with a body is not forwarded' });
    if (req.httpVersion === '1.0')
      throw new GatewayError('BAD_REQUEST', { message: 'An upgrade needs HTTP/1.1' });
    if (!UPGRADE.test(req.headers.upgrade ?? '')) {
      throw new GatewayError('BAD_REQUEST', { message: 'The field Upgrade is malformed' });
    }
  }

  /**
   * @returns whether there is a tunnel now; otherwise the response is in `ctx`
   * @throws GatewayError
   */
  async open(
    ctx: GatewayContext,
    client: UpgradeSocket,
    head: Buffer,
    attempt: AttemptUpgrade,
    record: RecordInit,
  ): Promise<boolean> {
    const handshake = new Handshake(client, this.#parts.clock, this.#options.handshakeTimeout);
    const made: { refusal?: IncomingMessage; switched: boolean } = { switched: false };
    // http-proxy puts it back on the socket, where it stays should there be a second attempt.
    let unsent = head;
    try {
      await attempt(ctx.gateway, async (target, fields) => {
        const begin = (upstream: Socket, upstreamHead: number) => {
          made.switched = true;
          new Tunnel({
            record: { ...record, target: target.url },
            client,
            upstream,
            target,
            head: head.length,
            upstreamHead,
            closeTimeout: this.#options.closeTimeout,
          });
        };
        const rest = unsent;
        unsent = Buffer.alloc(0);
        const result = await this.#connect(ctx, client, rest, target, fields, handshake.signal, begin);
        if (result.refusal !== undefined) made.refusal = result.refusal;
        return result;
      });
      if (made.refusal !== undefined) passResponse(ctx, made.refusal, this.#parts.fields);
      else if (!made.switched) throw new GatewayError('BAD_GATEWAY');
      return made.switched;
    } catch (failure) {
      made.refusal?.destroy();
      // The 101 is out: a wrapper that fails afterwards cannot take it back.
      if (made.switched) return true;
      throw failure;
    } finally {
      handshake.end();
    }
  }

  async #connect(
    ctx: GatewayContext,
    client: UpgradeSocket,
    head: Buffer,
    target: Target,
    fields: readonly string[],
    signal: AbortSignal,
    begin: (upstream: Socket, upstreamHead: number) => void,
  ): Promise<UpstreamHead & { readonly refusal: IncomingMessage | undefined }> {
    const { gateway: exchange, req } = ctx;
    target.active++;
    try {
      const raw = await this.#parts.connections.open(target, exchange.service, signal);
      let headers: readonly string[] = [];
      const refusal = await this.#handshakes.make({
        req,
        client,
        head,
        raw,
        path: exchange.upstreamPath,
        fields: withHost(fields, target),
        upgrade: req.headers.upgrade ?? '',
        onSwitching: (response, upstreamHead) => {
          headers = response.rawHeaders;
          begin(raw, upstreamHead.length);
          return this.#switching(ctx, response);
        },
        signal,
      });
      if (refusal === undefined) return { status: 101, headers, refusal };
      refusal.once('close', () => {
        raw.destroy();
        target.active--;
      });
      return {
        status: refusal.statusCode ?? 502,
        headers: this.#parts.fields.of(refusal.rawHeaders),
        refusal,
      };
    } catch (failure) {
      target.active--;
      throw failure;
    }
  }

  /** The fields of the 101: the target's own, also those of the handshake, which is between it and the client. */
  #switching(ctx: GatewayContext, response: IncomingMessage): Record<string, string | string[]> {
    const headers: Record<string, string | string[]> = Object.create(null);
    headers.Upgrade = response.headers.upgrade ?? ctx.req.headers.upgrade ?? '';
    headers.Connection = 'Upgrade';
    for (const name of ['accept', 'extensions']) {
      const value = response.headers[`sec-websocket-${name}`];
      if (value !== undefined) headers[`Sec-WebSocket-${name[0]?.toUpperCase()}${name.slice(1)}`] = value;
    }
    const protocol = protocolForClient(response.headers['sec-websocket-protocol'] ?? '', ctx.gateway);
    if (protocol !== '') headers['Sec-WebSocket-Protocol'] = protocol;
    const fields = switchingFields(ctx, response.rawHeaders, this.#parts.fields);
    for (let i = 0; i + 1 < fields.length; i += 2) {
      const name = fields[i] ?? '';
      const before = headers[name];
      headers[name] =
        before === undefined ? (fields[i + 1] ?? '') : [...[before].flat(), fields[i + 1] ?? ''];
    }
    return headers;
  }
}
