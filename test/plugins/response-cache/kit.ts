import type { IncomingMessage, ServerResponse } from 'node:http';
import responseCache from '../../../plugins/response-cache/index.js';
import type { FakeClock } from '../../support/fake-clock.js';
import { type PluginKit, type PluginKitOptions, runPlugin } from '../../support/plugin-kit.js';

/** What an origin answers with; 200 and a body that is different each time, unless it says otherwise. */
export interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Buffer;
}

/** Answers a request; undefined where it has written to `res` itself. */
export type Origin = (req: IncomingMessage, res: ServerResponse, count: number) => Reply | undefined;

/** A cache in front of an origin whose dates are those of the clock. */
export interface CacheKit extends PluginKit {
  /** Requests that reached the origin. */
  asked(): number;
  /** The HTTP-date that is `seconds` from now. */
  date(seconds?: number): string;
}

/** Runs the cache in front of an origin. */
export async function runCache(
  origin: Origin | Reply = {},
  options: object = {},
  kit: PluginKitOptions = {},
): Promise<CacheKit> {
  let clock: FakeClock | undefined;
  let count = 0;
  const answer = typeof origin === 'function' ? origin : () => origin;
  const running = await runPlugin(responseCache, options, {
    ...kit,
    // Second tries are counted as requests otherwise, and wait on a clock that stands still.
    service: { retries: { attempts: 1 }, ...kit.service },
    upstream(req, res) {
      count++;
      const number = count;
      res.sendDate = false;
      res.setHeader('Date', new Date(clock?.now() ?? 0).toUTCString());
      const reply = answer(req, res, number);
      if (reply === undefined) return;
      res.statusCode = reply.status ?? 200;
      for (const [name, value] of Object.entries(reply.headers ?? {})) res.setHeader(name, value);
      res.end(reply.body ?? `answer ${number}`);
    },
  });
  clock = running.clock;
  return {
    ...running,
    asked: () => count,
    date: (seconds = 0) => new Date(running.clock.now() + seconds * 1000).toUTCString(),
  };
}
