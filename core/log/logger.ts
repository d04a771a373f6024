import pino from 'pino';
import pretty from 'pino-pretty';

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
}

/** The gateway's log: a logger, and its way to the disk. */
export interface Log {
  readonly logger: Logger;
  /** Changes the least severe level that is written. */
  setLevel(level: LogLevel): void;
  /** Writes out what is still buffered, synchronously. */
  flush(): void;
}

/** Level names as the requirements write them. */
export type LogLevel = 'TRACE' | 'DEBUG' | 'INFO' | 'WARNING' | 'ERROR' | 'CRITICAL';

const PINO_LEVELS: Readonly<Record<LogLevel, pino.LevelWithSilent>> = {
  TRACE: 'trace',
  DEBUG: 'debug',
  INFO: 'info',
  WARNING: 'warn',
  ERROR: 'error',
  CRITICAL: 'fatal',
};

const LEVEL_NAMES: Readonly<Record<string, LogLevel>> = Object.fromEntries(
  Object.entries(PINO_LEVELS).map(([name, level]) => [level, name as LogLevel]),
);

/** Fields that never reach the log, wherever an object that holds them is logged. */
const SECRET_FIELDS = [
  'authorization',
  'cookie',
  'set-cookie',
  'proxy-authorization',
  'x-api-key',
  'password',
  'secret',
  'token',
  'key',
  'access_token',
  'refresh_token',
];

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
  const destination = options.write
    ? { write: options.write }
    : pino.destination({ dest: 1, sync: false, minLength: 4096, periodicFlush: 100 });
  const stream = options.pretty
    ? pretty({
        ...(options.write ? {} : { destination: 1 }),
        messageKey: 'message',
        timestampKey: 'timestamp',
        customLevels: 'TRACE:10,DEBUG:20,INFO:30,WARNING:40,ERROR:50,CRITICAL:60',
        customColors: 'INFO:green,WARNING:yellow,ERROR:red,CRITICAL:bgRed',
        useOnlyCustomProps: true,
        singleLine: true,
        ignore: 'logger',
      })
    : destination;
  const logger = pino(
    {
      level: PINO_LEVELS[options.level],
      base: { logger: 'api-gateway' },
      messageKey: 'message',
      timestamp: isoTimestamp(),
      formatters: { level: (label) => ({ level: LEVEL_NAMES[label] ?? label.toUpperCase() }) },
      serializers: { err: pino.stdSerializers.err },
      redact: {
        paths: SECRET_FIELDS.flatMap((field) => [`["${field}"]`, `*["${field}"]`]),
        censor: '[redacted]',
      },
    },
    stream,
  );
  return {
    logger,
    setLevel(level) {
      logger.level = PINO_LEVELS[level];
    },
    flush() {
      if ('flushSync' in destination) destination.flushSync();
    },
  };
}

/** One ISO text per millisecond: under load many lines share it. */
function isoTimestamp(): () => string {
  let at = 0;
  let text = '';
  return () => {
    const now = Date.now();
    if (now !== at) {
      at = now;
      text = `,"timestamp":"${new Date(now).toISOString()}"`;
    }
    return text;
  };
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
