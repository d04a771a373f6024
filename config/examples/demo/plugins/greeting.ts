import { Type } from 'typebox';
import {
  definePlugin,
  type GatewayMiddleware,
  type GatewayPlugin,
  type Route,
} from '../../../../core/index.js';

interface GreetingOptions {
  readonly text: string;
}

/** Adds a header field to every response. */
class Greeting implements GatewayPlugin<GreetingOptions> {
  middleware(_route: Route, { text }: GreetingOptions): GatewayMiddleware {
    return (ctx, next) => {
      ctx.set('X-Greeting', text);
      return next();
    };
  }
}

export default definePlugin({
  name: 'greeting',
  summary: 'Greets in a header field.',
  options: Type.Object({
    text: Type.String({ default: 'Hello', pattern: '^[ -~]*$', description: 'What to say; ASCII.' }),
  }),
  plugin: Greeting,
});
