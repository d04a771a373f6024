import { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  type AttemptUpgrade,
  type Exchange,
  type GatewayContext,
  GatewayError,
  type Target,
  type UpstreamHead,
} from '../../../core/index.js';
import type { RecordInit } from '../connection-record.js';
import { Handshake } from '../handshake.js';
import { type ModeParts, withHost } from '../mode-parts.js';
import type { WsProxyOptions } from '../options.js';
import { passResponse, switchingFields } from '../upstream-response.js';
import { ClientAcceptor } from './client-acceptor.js';
import { checkClientHandshake, offeredProtocols, protocolForClient } from './client-handshake.js';
import { type OpenedUpstream, openUpstream } from './open-upstream.js';
import { discard, Reconnector } from './reconnector.js';
import { Relay } from './relay.js';
import { type ManagedSettings, managedSettings } from './settings.js';

/** What one attempt came to. */
interface Outcome extends UpstreamHead {
  readonly opened: OpenedUpstream | undefined;
  readonly refusal: IncomingMessage | undefined;
}

/** Ends WebSockets at the gateway, and relays their messages: see relay.ts. */
export class ManagedMode {
  readonly #options: WsProxyOptions;
  readonly #settings: ManagedSettings;
  readonly #parts: ModeParts;
  readonly #acceptor: ClientAcceptor;

  /** @throws Error for options that cannot be */
  constructor(options: WsProxyOptions, parts: ModeParts) {
    this.#options = options;
    this.#settings = managedSettings(options);
    this.#parts = parts;
    this.#acceptor = new ClientAcceptor(this.#settings);
  }

  /** @throws GatewayError METHOD_NOT_ALLOWED, UPGRADE_REQUIRED or BAD_REQUEST */
  check({ gateway }: GatewayContext): void {
    checkClientHandshake(gateway);
    offeredProtocols(gateway.req.rawHeaders);
  }

  /**
   * Connects to a target first, so that one that is not there is an HTTP error; then the client gets its 101.
   *
   * @returns whether there is a connection now; otherwise the response is in `ctx`
   * @throws GatewayError
   */
  async open(
    ctx: GatewayContext,
    client: Duplex,
    head: Buffer,
    attempt: AttemptUpgrade,
    record: RecordInit,
  ): Promise<boolean> {
    const exchange = ctx.gateway;
    const handshake = new Handshake(client, this.#parts.clock, this.#settings.handshakeTimeout);
    const made: { outcome?: Outcome } = {};
    try {
      await attempt(exchange, async (target, fields) => {
        made.outcome = await this.#connect(
          exchange,
          target,
          fields,
          offeredProtocols(fields),
          handshake.signal,
        );
        return made.outcome;
      });
      // A wrapper may have answered instead of the target.
      if (made.outcome === undefined) throw new GatewayError('BAD_GATEWAY');
      const { opened, refusal } = made.outcome;
      if (opened !== undefined) this.#relay(ctx, client, head, attempt, record, opened);
      else if (refusal !== undefined) passResponse(ctx, refusal, this.#parts.fields);
      return opened !== undefined;
    } catch (failure) {
      if (made.outcome?.opened !== undefined) discard(made.outcome.opened);
      made.outcome?.refusal?.destroy();
      throw failure;
    } finally {
      handshake.end();
    }
  }

  #relay(
    ctx: GatewayContext,
    client: Duplex,
    head: Buffer,
    attempt: AttemptUpgrade,
    record: RecordInit,
    upstream: OpenedUpstream,
  ): void {
    const { gateway: exchange, req } = ctx;
    const { protocol, rawHeaders, target } = upstream;
    const fields = switchingFields(ctx, rawHeaders, this.#parts.fields);
    const socket = this.#acceptor.accept(req, client, head, protocolForClient(protocol, exchange), fields);
    new Relay({
      record: { ...record, target: target.url, protocol },
      settings: this.#settings,
      client: socket,
      clientRaw: client,
      upstream,
      reconnector: this.#options.reconnect.enabled
        ? new Reconnector({
            exchange,
            attempt,
            connect: (signal) => this.#reconnect(exchange, protocol, signal),
            services: this.#parts.services,
            clock: this.#parts.clock,
            options: this.#options.reconnect,
            random: Math.random,
          })
        : undefined,
    });
  }

  /** The same subprotocol as before, since the client speaks it; and a time limit of its own. */
  #reconnect(exchange: Exchange, protocol: string, signal: AbortSignal) {
    return async (target: Target, fields: readonly string[]): Promise<Outcome> => {
      const timeout = new AbortController();
      const timer = this.#parts.clock.setTimeout(
        () => timeout.abort(new GatewayError('GATEWAY_TIMEOUT')),
        this.#settings.handshakeTimeout,
      );
      try {
        const protocols = protocol === '' ? offeredProtocols(fields) : [protocol];
        const either = AbortSignal.any([signal, timeout.signal]);
        const outcome = await this.#connect(exchange, target, fields, protocols, either);
        outcome.refusal?.destroy();
        if (outcome.opened !== undefined && outcome.opened.protocol !== protocol) {
          discard(outcome.opened);
          throw new GatewayError('BAD_GATEWAY');
        }
        return outcome;
      } finally {
        timer.cancel();
      }
    };
  }

  async #connect(
    exchange: Exchange,
    target: Target,
    fields: readonly string[],
    protocols: readonly string[],
    signal: AbortSignal,
  ): Promise<Outcome> {
    target.active++;
    try {
      const raw = await this.#parts.connections.open(target, exchange.service, signal);
      const handshake = {
        target,
        raw,
        path: exchange.upstreamPath,
        fields: withHost(fields, target),
        protocols,
      };
      const result = await openUpstream(handshake, this.#settings, signal);
      if (!(result instanceof IncomingMessage)) {
        return { status: 101, headers: result.rawHeaders, opened: result, refusal: undefined };
      }
      // Refused as it was, the connection would be kept for a request that never comes.
      result.once('close', () => {
        raw.destroy();
        target.active--;
      });
      return {
        status: result.statusCode ?? 502,
        headers: this.#parts.fields.of(result.rawHeaders),
        opened: undefined,
        refusal: result,
      };
    } catch (failure) {
      target.active--;
      throw failure;
    }
  }
}
