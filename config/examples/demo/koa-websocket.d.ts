// The types that are published for koa-websocket change Koa's own context in the whole program they are used in.
declare module 'koa-websocket' {
  import type Koa from 'koa';
  import type { ServerOptions, WebSocket } from 'ws';

  interface WebSocketContext {
    /** The path of the request, without query. */
    readonly path: string;
    readonly websocket: WebSocket;
  }

  interface WebSocketApplication extends Koa {
    readonly ws: { use(middleware: (ctx: WebSocketContext) => void): void };
  }

  /** Lets `app.listen()` take WebSockets too. */
  export default function websockify(app: Koa, options?: ServerOptions): WebSocketApplication;
}
