import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import { SettingError } from '../config/mistakes.js';
import type { Path } from '../config/paths.js';
import type { ServerTlsSettings } from '../config/schema.js';

interface NamedContext {
  readonly hosts: readonly string[];
  readonly context: SecureContext;
}

/** Node's options for serving TLS. */
export type ServerTlsOptions = SecureContextOptions & {
  readonly SNICallback: (
    servername: string,
    callback: (error: Error | null, context?: SecureContext) => void,
  ) => void;
};

/** The certificates that the gateway shows: one for everybody, others by the name that a client asks for (SNI). */
export class ServerCertificates {
  #own: SecureContextOptions;
  #named: readonly NamedContext[];

  /**
   * @param baseDirectory folder that the files are relative to
   * @throws SettingError for a file that cannot be read or used
   */
  constructor(tls: ServerTlsSettings, baseDirectory: string) {
    this.#own = readOwn(tls, baseDirectory);
    this.#named = readNamed(tls, baseDirectory);
  }

  /**
   * Reads the files anew, for connections from now on.
   *
   * @throws SettingError as the constructor does; what was in use stays then
   */
  renew(tls: ServerTlsSettings, baseDirectory: string): void {
    const own = readOwn(tls, baseDirectory);
    this.#named = readNamed(tls, baseDirectory);
    this.#own = own;
  }

  /** What a server is made with; the names are looked up in the certificates of the moment. */
  options(): ServerTlsOptions {
    return {
      ...this.#own,
      SNICallback: (servername, callback) => {
        const name = servername.toLowerCase();
        const entry = this.#named.find(({ hosts }) => hosts.some((host) => certifies(host, name)));
        callback(null, entry?.context);
      },
    };
  }
}

function readOwn(tls: ServerTlsSettings, baseDirectory: string): SecureContextOptions {
  return { ...readPair(['tls'], tls, baseDirectory), minVersion: tls.minVersion };
}

function readNamed(tls: ServerTlsSettings, baseDirectory: string): NamedContext[] {
  return tls.sni.map((entry, index) => {
    const pair = readPair(['tls', 'sni', index], entry, baseDirectory);
    const context = createSecureContext({ ...pair, minVersion: tls.minVersion });
    return { hosts: entry.hosts.map((host) => host.toLowerCase()), context };
  });
}

/** Whether a name fits a pattern as in certificates: `*` stands for one label, the first (RFC 9525 section 6.3). */
function certifies(pattern: string, name: string): boolean {
  if (!pattern.startsWith('*.')) return pattern === name;
  const dot = name.indexOf('.');
  return dot > 0 && name.slice(dot) === pattern.slice(1);
}

function readPair(path: Path, files: { key: string; cert: string }, baseDirectory: string) {
  const pair = {
    key: read([...path, 'key'], files.key, baseDirectory),
    cert: read([...path, 'cert'], files.cert, baseDirectory),
  };
  try {
    createSecureContext(pair);
  } catch (error) {
    const found = `a key and a certificate that cannot be used: ${messageOf(error)}`;
    throw new SettingError({ path, found, expected: 'PEM files that belong together' }, error);
  }
  return pair;
}

function read(path: Path, file: string, baseDirectory: string): Buffer {
  try {
    return readFileSync(resolve(baseDirectory, file));
  } catch (error) {
    const found = `the file '${file}', which cannot be read: ${messageOf(error)}`;
    throw new SettingError({ path, found, expected: 'a readable PEM file' }, error);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
