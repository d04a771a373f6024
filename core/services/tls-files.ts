import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { Fault } from '../config/mistakes.js';
import type { UpstreamTlsSettings } from '../config/service-schema.js';

const NAMES = ['ca', 'cert', 'key'] as const;
type FileName = (typeof NAMES)[number];

/** What is in the TLS files that the settings name. */
export type TlsMaterial = { readonly [name in FileName]?: Buffer };

/** A TLS file that cannot be read or is no PEM. The message starts with the setting, `tls.ca` for example. */
export class TlsFileError extends Error {
  override readonly name = 'TlsFileError';
  /** With the path from the settings of the service. */
  readonly fault: Fault;

  constructor(setting: FileName, file: string, cause: unknown) {
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    const found = `the file '${file}', which cannot be used (${reason})`;
    const expected = 'a readable PEM file';
    super(`tls.${setting}: found ${found}, expected ${expected}`, { cause });
    this.fault = { path: ['tls', setting], found, expected };
  }
}

/** The files that the TLS settings of a service name. */
export class TlsFiles {
  readonly #tls: UpstreamTlsSettings;

  constructor(tls: UpstreamTlsSettings) {
    this.#tls = tls;
  }

  /**
   * What distinguishes the files, and their present content from another.
   *
   * @throws TlsFileError
   */
  version(): string {
    const versions = this.#each((file) => {
      const { ino, size, mtimeMs } = statSync(file);
      return [file, ino, size, mtimeMs];
    });
    return JSON.stringify(versions);
  }

  /** @throws TlsFileError also when a file is no PEM, which would otherwise show with the first request only */
  read(): TlsMaterial {
    const material = this.#each((file) => readFileSync(file));
    this.#each((_file, name) => check(material, name));
    return material;
  }

  #each<T>(use: (file: string, name: FileName) => T): { [name in FileName]?: T } {
    const results: { [name in FileName]?: T } = {};
    for (const name of NAMES) {
      const file = this.#tls[name];
      if (file === undefined) continue;
      try {
        results[name] = use(file, name);
      } catch (error) {
        throw new TlsFileError(name, file, error);
      }
    }
    return results;
  }
}

function check({ ca, cert, key }: TlsMaterial, name: FileName): void {
  // createSecureContext() takes any CA file, and then trusts nobody.
  if (name === 'ca') new X509Certificate(ca ?? '');
  else if (name === 'cert') createSecureContext({ cert });
  // Together with the certificate, which has been found to be one: do they belong together?
  else createSecureContext({ cert, key });
}
