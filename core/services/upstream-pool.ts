import { isIP } from 'node:net';
import { buildConnector, Client, type Dispatcher, Pool } from 'undici';
import type { ServiceSettings } from '../config/service-schema.js';
import type { TlsMaterial } from './tls-files.js';

/** The settings that a connection depends on; targets that agree in them share a pool. */
export type ConnectionSettings = Pick<ServiceSettings, 'pool' | 'tls'> & {
  readonly timeout: Pick<ServiceSettings['timeout'], 'connect'>;
};

/** Makes the dispatcher for one origin. */
export type DispatcherFactory = (
  origin: string,
  settings: ConnectionSettings,
  tls: TlsMaterial,
) => Dispatcher;

/** One connection of a pool, as the requests that it is given see it. */
export interface PooledConnection {
  readonly open: boolean;
  /** How long it took to open the last time, TLS included, in milliseconds. */
  readonly openedIn: number;
}

/** A handler of a response that learns what connection the request was given to. */
export interface ConnectionObserver {
  onConnectionChosen(connection: PooledConnection): void;
}

/** The largest response head that is taken from an upstream, in bytes. */
const MAX_HEAD = 64 * 1024;

/**
 * undici's pool for one origin. Time limits for head and body are off: the proxy stage gives them with each request.
 *
 * @throws Error when the TLS material is no PEM
 */
export function createUpstreamPool(
  origin: string,
  settings: ConnectionSettings,
  tls: TlsMaterial,
): Dispatcher {
  const options: Pool.Options = {
    connections: settings.pool.connections,
    pipelining: 1,
    keepAliveTimeout: Math.max(settings.pool.keepAlive, 1),
    // A `Keep-Alive: timeout` from the upstream may shorten the time, not prolong it.
    keepAliveMaxTimeout: Math.max(settings.pool.keepAlive, 1),
    headersTimeout: 0,
    bodyTimeout: 0,
    maxHeaderSize: MAX_HEAD,
    allowH2: false,
    factory: (url, clientOptions) => new TellingClient(url, Object(clientOptions)),
  };
  const timeout = settings.timeout.connect;
  if (!origin.startsWith('https:')) return new Pool(origin, { ...options, connect: { timeout } });
  const connect = connectorWithoutAddressAsName({
    ...tls,
    timeout,
    allowH2: false,
    rejectUnauthorized: settings.tls.verify,
  });
  return new NamedPool(origin, settings.tls.servername, { ...options, connect });
}

/** One connection of a pool; tells handlers that they were given to it. */
class TellingClient extends Client {
  readonly #connection: { open: boolean; openedIn: number };

  constructor(url: string | URL, options: Client.Options) {
    const connection = { open: false, openedIn: 0 };
    const { connect } = options;
    super(url, typeof connect === 'function' ? { ...options, connect: timed(connect, connection) } : options);
    this.#connection = connection;
    this.on('connect', () => {
      connection.open = true;
    });
    this.on('disconnect', () => {
      connection.open = false;
    });
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    if (observesConnection(handler)) handler.onConnectionChosen(this.#connection);
    return super.dispatch(options, handler);
  }
}

function timed(
  connect: buildConnector.connector,
  connection: { openedIn: number },
): buildConnector.connector {
  return (options, callback) => {
    const begun = performance.now();
    connect(options, (...result) => {
      connection.openedIn = performance.now() - begun;
      callback(...result);
    });
  };
}

function observesConnection(handler: object): handler is ConnectionObserver {
  return 'onConnectionChosen' in handler;
}

/**
 * A pool of TLS connections that all ask for the same name. undici would take the name from the `Host` of each
 * request, and so reconnect, and check the certificate, by what clients ask for where `preserveHost` is on.
 */
class NamedPool extends Pool {
  readonly #servername: string;

  constructor(origin: string, servername: string | undefined, options: Pool.Options) {
    super(origin, options);
    this.#servername = servername ?? new URL(origin).hostname.replace(/^\[|\]$/g, '');
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const named = { ...options, servername: this.#servername };
    return super.dispatch(named, handler);
  }
}

/** An address must not be sent as a server name (RFC 6066 section 3). */
function connectorWithoutAddressAsName(options: buildConnector.BuildOptions): buildConnector.connector {
  const connect = buildConnector(options);
  return ({ servername, ...rest }, callback) => {
    if (servername === undefined || isIP(servername) !== 0) connect(rest, callback);
    else connect({ ...rest, servername }, callback);
  };
}
