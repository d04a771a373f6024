import { resolve } from 'node:path';
import { inject, injectable } from 'tsyringe';
import {
  BASE_DIRECTORY,
  CLOCK,
  type Clock,
  errorCodeOf,
  type GatewayPlugin,
  type GatewayRequest,
  type Hooks,
  KEPT_STATE,
  type KeptState,
  LOGGER,
  type Logger,
  type Metric,
  OPTIONS,
  PLUGIN_ID,
  type Route,
  statusOf,
} from '../../core/index.js';
import { LineFormat } from './line.js';
import { LogFile } from './log-file.js';
import { Sampling, type SamplingRule } from './sampling.js';

/** Options of the access log. */
export interface AccessLogOptions {
  readonly client: boolean;
  readonly file?: string;
  readonly sample: number;
  readonly rules: readonly SamplingRule[];
  /** In milliseconds. */
  readonly slow?: number;
}

/** What the options come to. */
interface Form {
  readonly line: LineFormat;
  readonly sampling: Sampling;
}

/** One line per request, when it is over: what was asked, what was answered, by whom, and what was decided on the way. */
@injectable()
export class AccessLog implements GatewayPlugin<AccessLogOptions> {
  readonly hooks: Hooks;
  readonly #plugin: string;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #options: AccessLogOptions;
  readonly #form: Form;
  /** Of routes with options of their own. */
  readonly #forms = new WeakMap<Route, Form>();
  readonly #file: LogFile | undefined;

  constructor(
    @inject(OPTIONS) options: AccessLogOptions,
    @inject(PLUGIN_ID) plugin: string,
    @inject(LOGGER) logger: Logger,
    @inject(CLOCK) clock: Clock,
    @inject(KEPT_STATE) kept: KeptState,
    @inject(BASE_DIRECTORY) baseDirectory: string,
  ) {
    this.#options = options;
    this.#plugin = plugin;
    this.#logger = logger;
    this.#clock = clock;
    this.#form = this.#formOf(options);
    if (options.file !== undefined) {
      const path = resolve(baseDirectory, options.file);
      this.#file = kept.keep(
        `access-log:${path}`,
        () => new LogFile(path, logger, clock),
        (file) => file.close(),
      );
    }
    this.hooks = {
      onStart: () => this.#file?.open(),
      // A reload asks for it without a signal where a program embeds the gateway.
      onReady: () => this.#file?.reopen(),
      onStop: () => this.#file?.flush(),
    };
  }

  /** Only notes the options of the route: the log itself stands outside the onion. */
  middleware(route: Route, options: AccessLogOptions): undefined {
    if (options !== this.#options) this.#forms.set(route, this.#formOf(options));
  }

  finished(request: GatewayRequest): void {
    const status = statusOf(request);
    const duration = this.#clock.monotonic() - request.startedAt;
    const form = (request.isExchange() ? this.#forms.get(request.route) : undefined) ?? this.#form;
    const share = form.sampling.take(status, duration);
    if (share === 0) return;
    const outcome = { status, duration, code: errorCodeOf(request), share };
    this.#write(form.line.format(request, outcome, this.#clock.now()));
  }

  *metrics(): Iterable<Metric> {
    if (this.#file === undefined) return;
    yield {
      name: 'gateway_access_log_dropped_lines_total',
      help: 'Lines of the access log that were dropped because the disk did not keep up.',
      type: 'counter',
      series: [{ labels: { plugin: this.#plugin }, value: this.#file.dropped }],
    };
  }

  #write(line: string): void {
    if (this.#file !== undefined) {
      this.#file.write(line);
      return;
    }
    const { lines } = this.#logger;
    if (lines !== undefined) {
      if (lines.writes('INFO')) lines.write(line);
    } else {
      // Another program's logger: it puts a time and a level of its own.
      const parsed: Record<string, unknown> = JSON.parse(line);
      const { level: _, timestamp: __, logger: ___, message, ...fields } = parsed;
      this.#logger.info(fields, String(message));
    }
  }

  #formOf(options: AccessLogOptions): Form {
    const { client, sample, rules, slow } = options;
    return {
      line: new LineFormat({ plugin: this.#plugin, client }),
      sampling: new Sampling({ sample, rules, slow }),
    };
  }
}
