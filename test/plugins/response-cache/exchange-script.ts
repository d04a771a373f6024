import type { IncomingMessage } from 'node:http';
import type { PluginKitOptions } from '../../support/plugin-kit.js';
import { type CacheKit, type Reply, runCache } from './kit.js';

/** Header fields of a request. */
export type Fields = Readonly<Record<string, string>>;

/** What came back of one request, with what the origin was asked for it. */
export interface Visit {
  readonly status: number;
  /** `X-Cache-Status`. */
  readonly cache: string | undefined;
  readonly text: string;
  readonly headers: Fields;
  /** `Set-Cookie`, line by line. */
  readonly cookies: readonly string[];
  /** The request as the origin got it; undefined where it got none. */
  readonly seen: IncomingMessage | undefined;
}

/** A cache whose origin answers what a test says, request by request. */
export class Script {
  readonly kit: CacheKit;
  readonly #replies: Reply[];
  #seen: IncomingMessage | undefined;
  #fallback: Reply = {};

  private constructor(
    kit: CacheKit,
    replies: Reply[],
    onSeen: (listener: (req: IncomingMessage) => void) => void,
  ) {
    this.kit = kit;
    this.#replies = replies;
    onSeen((req) => {
      this.#seen = req;
    });
  }

  static async open(options: object = {}, pluginKit: PluginKitOptions = {}): Promise<Script> {
    const replies: Reply[] = [];
    let listener: (req: IncomingMessage) => void = () => undefined;
    const script: { current?: Script } = {};
    const kit = await runCache(
      (req) => {
        listener(req);
        const reply = replies.length > 1 ? replies.shift() : replies[0];
        return reply ?? script.current?.fallback ?? {};
      },
      options,
      pluginKit,
    );
    const opened = new Script(kit, replies, (each) => {
      listener = each;
    });
    script.current = opened;
    return opened;
  }

  get fallback(): Reply {
    return this.#fallback;
  }

  /** What the origin answers from now on, one after the other; the last again and again. */
  origin(...replies: Reply[]): void {
    this.#replies.splice(0, this.#replies.length, ...replies);
    this.#fallback = replies.at(-1) ?? {};
  }

  /** Seconds pass. */
  wait(seconds: number): void {
    this.kit.clock.tick(seconds * 1000);
  }

  async get(path: string, fields: Fields = {}): Promise<Visit> {
    return this.send('GET', path, fields);
  }

  async send(method: string, path: string, fields: Fields = {}): Promise<Visit> {
    this.#seen = undefined;
    const response = await fetch(`${this.kit.url}/api/v1/demo${path}`, {
      method,
      redirect: 'manual',
      // fetch adds fields of its own for caches where there are conditions; these are the test's.
      headers: { 'cache-control': 'none', ...fields },
    });
    const headers = Object.fromEntries(response.headers);
    return {
      status: response.status,
      cache: headers['x-cache-status'],
      text: await response.text(),
      headers,
      cookies: response.headers.getSetCookie(),
      seen: this.#seen,
    };
  }

  /** Stores `reply` at `path`, lets `seconds` pass, and asks again. */
  async again(path: string, reply: Reply, seconds = 0, fields: Fields = {}): Promise<Visit> {
    this.origin(reply, { body: 'newer' });
    await this.get(path);
    this.wait(seconds);
    return this.get(path, fields);
  }
}
