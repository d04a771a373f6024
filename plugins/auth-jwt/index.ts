import { definePlugin } from '../../core/index.js';
import { AuthJwt } from './auth-jwt.js';
import { OptionsSchema } from './options.js';

export default definePlugin({
  name: 'auth-jwt',
  summary: 'Lets requests with a valid JSON Web Token pass, and gives tokens to users who log in.',
  options: OptionsSchema,
  order: { after: ['cors'], before: ['rate-limit-token-bucket', 'response-cache'] },
  provides: ['authentication'],
  plugin: AuthJwt,
});
