import gateway from 'fast-gateway';

const server = gateway({
  // Without disableQsOverwrite it appends an empty query string to every path.
  routes: [{ prefix: '/api/v1/bench', target: process.env.UPSTREAM, disableQsOverwrite: true }],
});
await server.start(Number(process.env.PORT), '127.0.0.1');
