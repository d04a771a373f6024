import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { WebSocketServer } from 'ws';
import { catalogue } from '../../plugins/index.js';
import { openClient, refused } from '../plugins/ws-proxy/sockets.js';
import { type Authority, type Certificate, createAuthority } from '../support/certificates.js';
import { type RunningGateway, service, startGateway } from '../support/gateway.js';
import { until } from '../support/until.js';

for (const mode of ['managed', 'tunnel'] as const) {
  describe(`wss on both sides, ${mode}`, () => {
    let authority: Authority;
    let ca: Buffer;
    let upstream: Server;
    let url: string;
    let client: Certificate;
    let gateway: RunningGateway;

    before(async function () {
      this.timeout(20_000);
      authority = await createAuthority();
      ca = await authority.read(authority.cert);
      const named = await authority.issue('upstream', ['upstream.test']);
      const own = await authority.issue('gateway', ['gateway.test']);
      client = await authority.issue('the gateway as a client');
      upstream = createServer({
        key: await authority.read(named.key),
        cert: await authority.read(named.cert),
        ca,
        requestCert: true,
        rejectUnauthorized: true,
      });
      const sockets = new WebSocketServer({ server: upstream });
      sockets.on('connection', (socket) => {
        socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
      });
      await new Promise<void>((resolve) => {
        upstream.listen(0, '127.0.0.1', resolve);
      });
      const { port } = upstream.address() as AddressInfo;
      url = `https://127.0.0.1:${port}`;
      const tls = { ca: authority.cert, servername: 'upstream.test', cert: client.cert, key: client.key };
      gateway = await startGateway(
        {
          tls: { key: own.key, cert: own.cert },
          services: {
            a: service(url, { tls }),
            stranger: service(url, { tls: { ...tls, ca: own.cert } }),
            misnamed: service(url, { tls: { ...tls, servername: 'other.test' } }),
            anonymous: service(url, { tls: { ca: authority.cert, servername: 'upstream.test' } }),
          },
          plugins: [{ 'ws-proxy': { mode } }],
        },
        { catalogue },
      );
    });

    after(async () => {
      await gateway.stop();
      upstream.closeAllConnections();
      await new Promise((resolve) => upstream.close(resolve));
      await authority.discard();
    });

    const options = () => ({ ca, servername: 'gateway.test' });
    const at = (name: string) => `https://127.0.0.1:${gateway.port}/ws/${name}/live`;

    it('messages pass, large ones too', async () => {
      const { socket, seen } = await openClient(at('a'), [], options());
      const large = 'ü'.repeat(300_000);
      socket.send('small');
      socket.send(large);
      await until('the echo', () => seen.texts.length === 2);
      expect(seen.texts).to.deep.equal(['small', large]);
      socket.close(1000, 'done');
      expect(await seen.closed()).to.deep.equal({ code: 1000, reason: 'done' });
    });

    for (const name of ['stranger', 'misnamed', 'anonymous']) {
      it(`502 for ${name}`, async () => {
        expect((await refused(at(name), [], options())).status).to.equal(502);
        await until('nothing under way', () => gateway.gateway.services.get(name)?.targets[0]?.active === 0);
      });
    }
  });
}
