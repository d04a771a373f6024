import { connect, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls, createSecureContext } from 'node:tls';
import {
  type Clock,
  GatewayError,
  type Service,
  type Target,
  TlsFiles,
  upstreamError,
} from '../../core/index.js';

/** How long a connection may be silent before the operating system asks whether the other end is there, in milliseconds. */
const KEEP_ALIVE = 60_000;

/**
 * Opens connections to targets that become WebSockets or tunnels. They do not come out of the pool of the service: they
 * would take a place in it for hours.
 */
export class TargetConnections {
  readonly #clock: Clock;
  /** The files are read once per service; a reload that finds others makes another service. */
  readonly #tls = new WeakMap<Service, ConnectionOptions>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * A connected socket, with TLS where the target has it.
   *
   * @throws GatewayError SERVICE_UNAVAILABLE, GATEWAY_TIMEOUT (after `timeout.connect` of the service), BAD_GATEWAY; the
   *   reason of `signal`
   */
  open(target: Target, service: Service, signal: AbortSignal): Promise<Socket> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const host = target.hostname.replace(/^\[|\]$/g, '');
      const options = { host, port: target.port, noDelay: true };
      const isTls = target.protocol === 'https:';
      const socket: Socket = isTls
        ? connectTls({ ...options, ...this.#tlsOptions(service), ...servername(service, host) })
        : connect(options);
      socket.setKeepAlive(true, KEEP_ALIVE);
      const { connect: limit } = service.settings.timeout;
      const deadline =
        limit === 0
          ? undefined
          : this.#clock.setTimeout(() => fail(new GatewayError('GATEWAY_TIMEOUT')), limit);
      const settle = () => {
        deadline?.cancel();
        signal.removeEventListener('abort', onAbort);
        socket.off('error', fail);
        socket.off(isTls ? 'secureConnect' : 'connect', onConnect);
      };
      const fail = (error: unknown) => {
        settle();
        socket.on('error', () => undefined);
        socket.destroy();
        reject(upstreamError(error));
      };
      const onAbort = () => fail(signal.reason);
      const onConnect = () => {
        settle();
        // Whoever takes it over listens as well; until then an unheard error would end the process.
        socket.on('error', () => undefined);
        resolve(socket);
      };
      signal.addEventListener('abort', onAbort);
      socket.once('error', fail);
      socket.once(isTls ? 'secureConnect' : 'connect', onConnect);
    });
  }

  #tlsOptions(service: Service): ConnectionOptions {
    let options = this.#tls.get(service);
    if (options === undefined) {
      const { tls } = service.settings;
      const material = new TlsFiles(tls).read();
      options = {
        secureContext: createSecureContext(material),
        rejectUnauthorized: tls.verify,
        ALPNProtocols: ['http/1.1'],
      };
      this.#tls.set(service, options);
    }
    return options;
  }
}

/** An address must not be sent as a server name (RFC 6066 section 3). */
function servername(service: Service, host: string): { servername?: string } {
  const name = service.settings.tls.servername ?? (isIP(host) === 0 ? host : undefined);
  return name === undefined ? {} : { servername: name };
}

/** The `Host` of a target: without the port where it is the scheme's own. */
export function authorityOf(target: Target): string {
  return target.url.slice(target.url.indexOf('//') + 2);
}
