import { isIP } from 'node:net';
import { buildConnector, Client, type Dispatcher, Pool } from 'undici';
import type { ServiceSettings } from '../config/schema.js';
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

/** A handler of a response that learns what connection the request was given to. */
export interface ReuseObserver {
  /** Whether the connection had been open before: it may have been closed by the target just then. */
  reused: boolean;
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

/** One connection of a pool; tells handlers whether it is a new one. */
class TellingClient extends Client {
  #connected = false;

  constructor(url: string | URL, options: Client.Options) {
    super(url, options);
    this.on('connect', () => {
      this.#connected = true;
    });
    this.on('disconnect', () => {
      this.#connected = false;
    });
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    if (observesReuse(handler)) handler.reused = this.#connected;
    return super.dispatch(options, handler);
  }
}

function observesReuse(handler: object): handler is ReuseObserver {
  return 'reused' in handler;
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
