import { once } from 'node:events';
import type { ClientHttp2Session, IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { connect as connectTls, type TLSSocket } from 'node:tls';

/** One GET over TLS and HTTP/1.1, on a connection of its own. */
export async function getHttps(port: number, ca: Buffer, path: string) {
  return new Promise<{ status: number | undefined; body: string; alpn: string | false | null }>(
    (resolve, reject) => {
      const options = { port, host: 'localhost', path, ca, agent: false, ALPNProtocols: ['http/1.1'] };
      const outgoing = httpsRequest(options, (response) => {
        const socket = response.socket as TLSSocket;
        const alpn = socket.alpnProtocol;
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          body += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode, body, alpn }));
        response.on('error', reject);
      });
      outgoing.on('error', reject);
      outgoing.end();
    },
  );
}

/** One exchange on an HTTP/2 session. Rejects when the stream is reset, whether or not a body came before that. */
export async function fetchHttp2(session: ClientHttp2Session, head: OutgoingHttpHeaders, content?: string) {
  return new Promise<{ headers: IncomingHttpHeaders & { ':status'?: number }; body: string }>(
    (resolve, reject) => {
      const stream = session.request(head, { endStream: content === undefined });
      let headers: IncomingHttpHeaders = {};
      let body = '';
      let ended = false;
      stream.setEncoding('utf8');
      stream.on('response', (fields) => {
        headers = fields;
      });
      stream.on('data', (chunk: string) => {
        body += chunk;
      });
      stream.on('end', () => {
        ended = true;
      });
      stream.on('error', reject);
      stream.on('close', () => {
        if (ended && stream.rstCode === 0) resolve({ headers, body });
        else reject(new Error(`The stream was reset with ${stream.rstCode}`));
      });
      if (content !== undefined) stream.end(content);
    },
  );
}

/** A TLS connection that accepts any certificate. Rejects when the handshake fails. */
export async function handshake(port: number, options: Parameters<typeof connectTls>[1]): Promise<TLSSocket> {
  const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
  await once(socket, 'secureConnect');
  return socket;
}
