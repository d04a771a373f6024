// What Koa needs to answer from memory, behind as many middlewares as a gateway has plugins: what a hit is held against.
import Koa from 'koa';

const body = Buffer.from(JSON.stringify({ data: 'x'.repeat(1024 - '{"data":""}'.length) }));
const app = new Koa();
for (let i = 0; i < 8; i += 1) app.use(async (_ctx, next) => next());
app.use((ctx) => {
  ctx.type = 'application/json';
  ctx.body = body;
});
app.listen({ port: Number(process.env.PORT), host: '127.0.0.1', backlog: 4096 });
