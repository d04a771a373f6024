import pino from 'pino';
import pretty from 'pino-pretty';
import { IsoTimes } from './json-text.js';
import { LineWriter } from './line-writer.js';
import { withoutSecrets } from './secrets.js';

/** Fields of a line, beside the message. */
type Fields = Readonly<Record<string, unknown>>;

/** What the gateway needs of a logger; pino has it. */
export interface Logger {
  debug(fields: Fields, message: string): void;
  info(fields: Fields, message: string): void;
  warn(fields: Fields, message: string): void;
  error(fields: Fields, message: string): void;
  fatal(fields: Fields, message: string): void;
  /** A logger whose lines carry `fields` too. */
  child(fields: Fields): Logger;
  /** Takes lines that are complete; the gateway's own log has it, other loggers need not. */
  readonly lines?: LineSink;
}

/** Where a plugin that writes a line per request writes it: it makes the JSON itself. */
export interface LineSink {
  /** Whether lines of this level are written at present. */
  writes(level: LogLevel): boolean;
  /** @param line a JSON object with the fields that every line has, and a newline; no secrets, they are not looked for */
  write(line: string): void;
}

/** The gateway's log: a logger, and its way to the disk. */
export interface Log {
  readonly logger: Logger;
  /** Changes the least severe level that is written, also for the children that there are. */
  setLevel(level: LogLevel): void;
  /** Writes out what is still buffered; what is being written keeps the process alive until it is done. */
  flush(): void;
}

/** Level names as the requirements write them. */
export type LogLevel = 'TRACE' | 'DEBUG' | 'INFO' | 'WARNING' | 'ERROR' | 'CRITICAL';

const SEVERITY: Readonly<Record<LogLevel, number>> = {
  TRACE: 10,
  DEBUG: 20,
  INFO: 30,
  WARNING: 40,
  ERROR: 50,
  CRITICAL: 60,
};

const LEVEL_NAMES: Readonly<Record<string, LogLevel>> = {
  trace: 'TRACE',
  debug: 'DEBUG',
  info: 'INFO',
  warn: 'WARNING',
  error: 'ERROR',
  fatal: 'CRITICAL',
};

/** Where log lines go; a file descriptor by default. */
export interface LogOptions {
  readonly level: LogLevel;
  /** Lines for people instead of JSON. */
  readonly pretty: boolean;
  /** Receives the lines instead of standard output; for tests. */
  readonly write?: (line: string) => void;
}

/**
 * Makes the gateway's log: JSON lines with the requirements' fields (timestamp, level, logger, message), buffered
 * and written asynchronously, so that no request waits for the disk.
 */
export function createLog(options: LogOptions): Log {
  const stdout = options.write === undefined ? openStdout(() => logger) : undefined;
  const put = options.write ?? ((line: string) => stdout?.write(line));
  const write = options.pretty ? prettily(put) : put;
  const gate = new Gate(options.level, write);
  const times = new IsoTimes();
  const target = pino(
    {
      // The gate decides, for all children at once.
      level: 'trace',
      base: { logger: 'api-gateway' },
      messageKey: 'message',
      timestamp: () => `,"timestamp":"${times.format(Date.now())}"`,
      formatters: {
        level: (label) => ({ level: LEVEL_NAMES[label] ?? label.toUpperCase() }),
        log: withoutSecrets,
      },
      serializers: { err: errorFields },
    },
    { write },
  );
  const logger = new GatedLogger(target, gate);
  return {
    logger,
    setLevel(level) {
      gate.level = level;
    },
    flush() {
      stdout?.flushSync();
    },
  };
}

function errorFields(thrown: unknown): unknown {
  return thrown instanceof Error ? withoutSecrets({ ...pino.stdSerializers.err(thrown) }) : thrown;
}

/** Lets the lines pass that are severe enough. */
class Gate implements LineSink {
  readonly write: (line: string) => void;
  #least: number;

  constructor(level: LogLevel, write: (line: string) => void) {
    this.#least = SEVERITY[level];
    this.write = write;
  }

  set level(level: LogLevel) {
    this.#least = SEVERITY[level];
  }

  writes(level: LogLevel): boolean {
    return SEVERITY[level] >= this.#least;
  }
}

class GatedLogger implements Logger {
  readonly lines: Gate;
  readonly #target: pino.Logger;

  constructor(target: pino.Logger, gate: Gate) {
    this.#target = target;
    this.lines = gate;
  }

  debug(fields: Fields, message: string): void {
    if (this.lines.writes('DEBUG')) this.#target.debug(fields, message);
  }

  info(fields: Fields, message: string): void {
    if (this.lines.writes('INFO')) this.#target.info(fields, message);
  }

  warn(fields: Fields, message: string): void {
    if (this.lines.writes('WARNING')) this.#target.warn(fields, message);
  }

  error(fields: Fields, message: string): void {
    if (this.lines.writes('ERROR')) this.#target.error(fields, message);
  }

  fatal(fields: Fields, message: string): void {
    if (this.lines.writes('CRITICAL')) this.#target.fatal(fields, message);
  }

  child(fields: Fields): Logger {
    return new GatedLogger(this.#target.child(withoutSecrets(fields)), this.lines);
  }
}

/** Standard output, which tells of its own troubles as soon as it takes lines again. */
function openStdout(logger: () => Logger): LineWriter {
  return new LineWriter(1, {
    onDropped: (lines) => logger().warn({ lines }, 'Log lines were dropped: nobody read them in time'),
    onError: () => {},
  });
}

function prettily(write: (line: string) => void): (line: string) => void {
  const format = pretty.prettyFactory({
    messageKey: 'message',
    timestampKey: 'timestamp',
    customLevels: 'TRACE:10,DEBUG:20,INFO:30,WARNING:40,ERROR:50,CRITICAL:60',
    customColors: 'INFO:green,WARNING:yellow,ERROR:red,CRITICAL:bgRed',
    useOnlyCustomProps: true,
    singleLine: true,
    ignore: 'logger',
  });
  return (line) => write(format(line));
}

/** A logger that writes nothing. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  fatal() {},
  child: () => silentLogger,
};
