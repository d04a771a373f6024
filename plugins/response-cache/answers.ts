import { answerStored, type Clock, type GatewayContext, putFields } from '../../core/index.js';
import { parseRange } from './byte-range.js';
import { isNotModified, isRangeWanted } from './conditional.js';
import type { CacheOutcome, Statistics } from './statistics.js';
import { StoredBody } from './stored-body.js';
import type { StoredResponse } from './stored-response.js';

/** Why a request went to the upstream (RFC 9211 section 2.2). */
export type ForwardReason = 'bypass' | 'method' | 'uri-miss' | 'vary-miss' | 'request' | 'stale';

/** What is said of a response that came from the upstream. */
export interface MissReport {
  readonly outcome: 'MISS' | 'BYPASS';
  readonly reason: ForwardReason;
  /** The status that the upstream gave; undefined where none came, and the gateway answers by itself. */
  readonly status?: number | undefined;
  /** For how long the response is fresh, in milliseconds, where it is being stored. */
  readonly storedFor?: number | undefined;
}

/** Answers from the cache, and labels what does not come from it. */
export class Answers {
  readonly #clock: Clock;
  readonly #statistics: Statistics;
  #timestampOf = -1;
  #timestamp = '';
  readonly #forwarded = new ForwardedMember();

  constructor(clock: Clock, statistics: Statistics) {
    this.#clock = clock;
    this.#statistics = statistics;
  }

  /**
   * Answers with a stored response: in full, with 304 where the client has it already, or with the part it asks for.
   *
   * @param forwarded why the upstream was asked all the same, or undefined for a hit
   * @param now on the clock's monotonic scale
   */
  stored(
    ctx: GatewayContext,
    response: StoredResponse,
    outcome: CacheOutcome,
    forwarded?: string,
    now = this.#clock.monotonic(),
  ): void {
    const { gateway } = ctx;
    const age = Math.floor(response.age(now) / 1000);
    const left = Math.ceil(response.freshFor(now) / 1000);
    this.#count(ctx, outcome);
    const own = [
      'Age',
      String(age),
      'X-Cache-Status',
      outcome,
      'X-Cache-TTL',
      left > 0 ? String(left) : '0',
      'Cache-Status',
      forwarded === undefined ? `gateway; hit; ttl=${left}` : `gateway; fwd=${forwarded}; ttl=${left}`,
      'X-Gateway-Service',
      gateway.service.name,
      'X-Gateway-Timestamp',
      this.#now(),
      'X-Request-Id',
      gateway.requestId,
    ];
    const { headers, method } = gateway.req;
    const { status, statusText, body } = response;
    if (status === 200) {
      if (
        (headers['if-none-match'] !== undefined || headers['if-modified-since'] !== undefined) &&
        isNotModified(headers, response.head)
      ) {
        answerStored(ctx, {
          status: 304,
          statusText: '',
          head: response.head.notModified,
          own,
          body: undefined,
        });
        return;
      }
      if (headers.range !== undefined && method === 'GET' && this.#part(ctx, response, own)) return;
    }
    const isHead = method === 'HEAD' || status === 204;
    answerStored(ctx, {
      status,
      statusText,
      head: response.head,
      own,
      body: isHead ? undefined : body,
    });
  }

  /** Labels a response that came from the upstream, or a failure to get one. */
  missed(ctx: GatewayContext, report: MissReport): void {
    this.#count(ctx, report.outcome);
    // RFC 9211 section 2: nothing of what the gateway makes by itself, such as its errors.
    if (report.status === undefined) {
      putFields(ctx.res, ['X-Cache-Status', report.outcome]);
      return;
    }
    // Cache-Status last, since this cache is the nearest to the client (RFC 9211 section 2).
    if (report.storedFor === undefined) {
      const member = this.#forwarded.of(report.reason, report.status, undefined);
      putFields(ctx.res, ['X-Cache-Status', report.outcome, 'Cache-Status', member]);
      return;
    }
    const left = Math.max(0, Math.ceil(report.storedFor / 1000));
    const member = this.#forwarded.of(report.reason, report.status, left);
    putFields(ctx.res, [
      'X-Cache-Status',
      report.outcome,
      'X-Cache-TTL',
      String(left),
      'Cache-Status',
      member,
    ]);
  }

  /** RFC 9110 section 14: answers with a part of the body, or 416; false to answer with the whole. */
  #part(ctx: GatewayContext, response: StoredResponse, own: string[]): boolean {
    const { headers } = ctx.gateway.req;
    const ifRange = headers['if-range'];
    if (!isRangeWanted(typeof ifRange === 'string' ? ifRange : undefined, response.head)) return false;
    const { length } = response.body;
    const range = parseRange(headers.range ?? '', length);
    if (range === undefined) return false;
    const fields = without(
      response.head.fields,
      range === 'unsatisfiable' ? /^content-/i : /^content-(?:length|range)$/i,
    );
    if (range === 'unsatisfiable') {
      fields.push('Content-Range', `bytes */${length}`, 'Content-Length', '0');
      const head = { fields, lines: undefined, length: 0 };
      answerStored(ctx, { status: 416, statusText: '', head, own, body: new StoredBody('') });
      return true;
    }
    const body = new StoredBody(response.body.bytes.subarray(range.first, range.last + 1));
    fields.push('Content-Range', `bytes ${range.first}-${range.last}/${length}`);
    fields.push('Content-Length', String(body.length));
    const head = { fields, lines: undefined, length: body.length };
    answerStored(ctx, { status: 206, statusText: '', head, own, body });
    return true;
  }

  #count(ctx: GatewayContext, outcome: CacheOutcome): void {
    this.#statistics.outcomes[outcome]++;
    ctx.gateway.decide('cache', outcome);
  }

  #now(): string {
    const now = this.#clock.now();
    if (now !== this.#timestampOf) {
      this.#timestampOf = now;
      this.#timestamp = new Date(now).toISOString();
    }
    return this.#timestamp;
  }
}

/** What `Cache-Status` says of a request that went to the upstream (RFC 9211); most say the same as the one before. */
class ForwardedMember {
  #reason = '';
  #status = 0;
  #ttl: number | undefined = undefined;
  #text = '';

  /** @param ttl in seconds; undefined where the response is not stored */
  of(reason: ForwardReason, status: number, ttl: number | undefined): string {
    if (reason !== this.#reason || status !== this.#status || ttl !== this.#ttl) {
      this.#reason = reason;
      this.#status = status;
      this.#ttl = ttl;
      this.#text = `gateway; fwd=${reason}; fwd-status=${status}${ttl === undefined ? '' : `; stored; ttl=${ttl}`}`;
    }
    return this.#text;
  }
}

function without(fields: readonly string[], names: RegExp): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    if (!names.test(fields[i] ?? '')) kept.push(fields[i] ?? '', fields[i + 1] ?? '');
  }
  return kept;
}

declare module '../../core/exchange.js' {
  interface Decisions {
    cache: CacheOutcome;
  }
}
