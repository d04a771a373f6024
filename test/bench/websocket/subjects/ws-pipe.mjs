// The yardstick: a WebSocket on each side and messages handed from one to the other, with what a proxy cannot do without:
// the upstream is asked first, closes are passed on, and a slow reader stops the other side.
import http from 'node:http';
import { WebSocket, WebSocketServer } from 'ws';

const MOST_BUFFERED = 256 * 1024;
const origin = process.env.UPSTREAM.replace('http', 'ws');
const server = http.createServer((_req, res) => res.end('ok'));
const webSockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });

server.on('upgrade', (req, socket, head) => {
  const abandon = () => socket.destroy();
  socket.on('error', abandon);
  const upstream = new WebSocket(origin + req.url, { perMessageDeflate: false });
  upstream.once('error', abandon);
  upstream.once('open', () => {
    upstream.off('error', abandon);
    webSockets.handleUpgrade(req, socket, head, (client) => {
      pipe(client, upstream);
      pipe(upstream, client);
    });
  });
});

function pipe(from, to) {
  from.on('error', () => from.terminate());
  from.on('message', (data, isBinary) => {
    to.send(data, { binary: isBinary });
    if (to.bufferedAmount > MOST_BUFFERED && !from.isPaused) {
      from.pause();
      to._socket.once('drain', () => from.resume());
    }
  });
  from.on('close', (code, reason) => {
    if (code === 1006) to.terminate();
    else if (code === 1005) to.close();
    else to.close(code, reason);
  });
}

server.keepAliveTimeout = 0;
server.listen({ port: Number(process.env.PORT), host: '127.0.0.1', backlog: 4096 });
