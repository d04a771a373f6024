import { Type } from 'typebox';
import { definePlugin } from '../../core/index.js';
import { AccessLog } from './access-log.js';

export default definePlugin({
  name: 'access-log',
  summary: 'Writes one line per request.',
  options: Type.Object({
    client: Type.Boolean({ default: true, description: 'Whether the line has the address of the client.' }),
  }),
  plugin: AccessLog,
});
