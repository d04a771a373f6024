import { definePlugin } from '../../core/index.js';
import { AuthApiKey } from './auth-apikey.js';
import { OptionsSchema } from './schema.js';

export default definePlugin({
  name: 'auth-apikey',
  summary: 'Lets requests pass that bring a valid API key.',
  options: OptionsSchema,
  // A limit per consumer needs the consumer, and a cache in front of it would answer those without a key.
  order: { before: ['rate-limit-token-bucket', 'response-cache'] },
  provides: ['authentication'],
  plugin: AuthApiKey,
});
