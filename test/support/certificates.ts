import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A key and its certificate, as files (PEM). */
export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

/** A certificate authority in a directory of its own. */
export interface Authority extends Certificate {
  /** Issues a certificate for these names, or for a client when there are none. */
  issue(commonName: string, names?: readonly string[]): Promise<Certificate>;
  /** A file's content. */
  read(file: string): Promise<Buffer>;
  discard(): Promise<void>;
}

/** Makes an authority with openssl; certificates are valid for a day. */
export async function createAuthority(): Promise<Authority> {
  const directory = await mkdtemp(join(tmpdir(), 'gateway-certificates-'));
  const at = (name: string) => join(directory, name);
  const ca = { key: at('ca.key'), cert: at('ca.crt') };
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc'];
  await run('openssl', [
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    ca.key,
    '-out',
    ca.cert,
    '-days',
    '1',
    '-subj',
    '/CN=Test CA',
  ]);
  let serial = 0;
  return {
    ...ca,
    async issue(commonName, names = []) {
      serial += 1;
      const files = { key: at(`${serial}.key`), cert: at(`${serial}.crt`) };
      const [request, extensions] = [at(`${serial}.csr`), at(`${serial}.ext`)];
      const kind = (name: string) => (/^[\d.]+$/.test(name) ? `IP:${name}` : `DNS:${name}`);
      const lines =
        names.length > 0 ? [`subjectAltName=${names.map(kind).join(',')}`] : ['extendedKeyUsage=clientAuth'];
      await writeFile(extensions, lines.join('\n'));
      await run('openssl', [
        'req',
        '-new',
        ...newKey,
        '-keyout',
        files.key,
        '-out',
        request,
        '-subj',
        `/CN=${commonName}`,
      ]);
      await run('openssl', [
        ...['x509', '-req', '-in', request, '-CA', ca.cert, '-CAkey', ca.key, '-set_serial', String(serial)],
        ...['-days', '1', '-extfile', extensions, '-out', files.cert],
      ]);
      return files;
    },
    read: (file) => readFile(file),
    discard: () => rm(directory, { recursive: true, force: true }),
  };
}
