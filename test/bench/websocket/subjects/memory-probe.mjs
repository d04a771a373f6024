// Loaded into a subject whose memory is measured: whoever connects to `probe.sock` in its directory gets the figures, after
// garbage was collected. Needs --expose-gc.
import net from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';

const server = net.createServer(async (socket) => {
  socket.on('error', () => socket.destroy());
  for (let i = 0; i < 3; i += 1) {
    globalThis.gc();
    await turn();
  }
  const { rss, heapUsed, external } = process.memoryUsage();
  socket.end(JSON.stringify({ rss, heap: heapUsed + external }));
});
server.listen('probe.sock');
server.unref();
