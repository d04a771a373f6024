import { definePlugin } from '../../core/index.js';
import { OptionsSchema } from './options.js';
import { RequestValidator } from './request-validator.js';

export default definePlugin({
  name: 'request-validator',
  summary: 'Checks requests against JSON Schemas or an OpenAPI document.',
  options: OptionsSchema,
  // Authentication takes its token out of the query, where it would count as undocumented.
  order: { after: ['cors', 'auth-jwt', 'auth-apikey'] },
  plugin: RequestValidator,
});
