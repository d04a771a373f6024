import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { ServiceSettings } from '../../../core/config/service-schema.js';
import { UpstreamPools } from '../../../core/services/pools.js';
import { settingsOf } from './support.js';

/** For upstream.test, signed by itself, for tests only. */
const CERT = `-----BEGIN CERTIFICATE-----
MIIBojCCAUegAwIBAgIUPmPNmovc/2h2gw/zNWWyfHXo9ZMwCgYIKoZIzj0EAwIw
GDEWMBQGA1UEAwwNdXBzdHJlYW0udGVzdDAgFw0yNjExMjMwNTI0MjlaGA8yMTI2
MTAzMDA1MjQyOVowGDEWMBQGA1UEAwwNdXBzdHJlYW0udGVzdDBZMBMGByqGSM49
AgEGCCqGSM49AwEHA0IABO91Af8l4SyqgAP4bezwzm0RYkyd372x0vlkvskHN+sL
ZmftpDMsiauPdNGUGlOto7/xhe0NU+TYgPlj321+Z9ajbTBrMB0GA1UdDgQWBBT9
fYnb+JCKNIhdrWNcUV3N8HM7ejAfBgNVHSMEGDAWgBT9fYnb+JCKNIhdrWNcUV3N
8HM7ejAPBgNVHRMBAf8EBTADAQH/MBgGA1UdEQQRMA+CDXVwc3RyZWFtLnRlc3Qw
CgYIKoZIzj0EAwIDSQAwRgIhAIZW0FtWjWfFZE7HczXLpSNcnNiELG1T1+WrnIt3
eyudAiEAyEEIBkiLYSKxmqFhTyKC/MwKE4dRbMIGteDzHwx2TP0=
-----END CERTIFICATE-----
`;
const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgYtd9asPAZA6pUxzg
IOZxi66nS3/HhwkVa+FqFZmQ4HahRANCAATvdQH/JeEsqoAD+G3s8M5tEWJMnd+9
sdL5ZL7JBzfrC2Zn7aQzLImrj3TRlBpTraO/8YXtDVPk2ID5Y99tfmfW
-----END PRIVATE KEY-----
`;

describe('TLS to upstreams', () => {
  let directory: string;
  let ca: string;
  let key: string;
  let url: string;
  let connections: number;
  const server = createServer(
    { cert: CERT, key: KEY, ca: CERT, requestCert: true, rejectUnauthorized: false },
    (req, res) => {
      const { servername, authorized } = req.socket as unknown as {
        servername: unknown;
        authorized: boolean;
      };
      res.end(JSON.stringify({ servername, authorized }));
    },
  );
  server.on('secureConnection', () => {
    connections += 1;
  });
  let pools: UpstreamPools;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'upstream-tls-'));
    ca = join(directory, 'ca.pem');
    key = join(directory, 'key.pem');
    await Promise.all([writeFile(ca, CERT), writeFile(key, KEY)]);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await rm(directory, { recursive: true });
  });
  beforeEach(() => {
    connections = 0;
    pools = new UpstreamPools();
  });
  afterEach(() => pools.closeAll());

  async function ask(tls: Partial<ServiceSettings['tls']>, hosts = ['gateway.test']): Promise<unknown[]> {
    const dispatcher = pools.acquire(url, settingsOf([], { tls, pool: { connections: 1 } }));
    const answers: unknown[] = [];
    for (const host of hosts) {
      const { body } = await dispatcher.request({ origin: url, path: '/', method: 'GET', headers: { host } });
      answers.push(await body.json());
    }
    return answers;
  }

  it('asks for the server name of the settings, on one connection whatever the Host', async () => {
    const answers = await ask({ ca, servername: 'upstream.test' }, [
      'one.test',
      'two.test:8443',
      'upstream.test',
    ]);
    const answer = { servername: 'upstream.test', authorized: false };
    expect(answers).to.deep.equal([answer, answer, answer]);
    expect(connections).to.equal(1);
  });

  it('checks the certificate against the host of the url, not against the Host that a client sent', async () => {
    const outcome = await ask({ ca }, ['upstream.test']).catch((error: NodeJS.ErrnoException) => error.code);
    expect(outcome).to.equal('ERR_TLS_CERT_ALTNAME_INVALID');
  });

  it('trusts nobody but the CAs that it is told, unless it is not to verify', async () => {
    const outcome = await ask({ servername: 'upstream.test' }).catch(
      (error: NodeJS.ErrnoException) => error.code,
    );
    expect(outcome).to.equal('DEPTH_ZERO_SELF_SIGNED_CERT');
    expect(await ask({ verify: false })).to.deep.equal([{ servername: false, authorized: false }]);
  });

  it('shows the client certificate', async () => {
    const answers = await ask({ ca, cert: ca, key, servername: 'upstream.test' });
    expect(answers).to.deep.equal([{ servername: 'upstream.test', authorized: true }]);
  });

  it('makes a new pool when a file was replaced', async () => {
    const settings = settingsOf([], { tls: { ca } });
    const before = pools.acquire(url, settings);
    expect(pools.acquire(url, settings)).to.equal(before);
    await writeFile(ca, `${CERT}\n`);
    expect(pools.acquire(url, settings)).not.to.equal(before);
  });
});
