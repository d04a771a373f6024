import { createServer } from 'node:http';

/*
 * A target in a process of its own; see target-process.ts. The port is the first argument, 0 for any free one. It answers
 * with its process id.
 */

const server = createServer({ keepAliveTimeout: 60_000 }, (req, res) => {
  req.resume();
  res.end(String(process.pid));
});
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
  const address = server.address();
  process.send?.({ port: typeof address === 'object' && address !== null ? address.port : 0 });
});
process.on('disconnect', () => process.exit());
