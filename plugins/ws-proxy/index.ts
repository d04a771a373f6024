import { definePlugin } from '../../core/index.js';
import { OptionsSchema } from './options.js';
import { WsProxy } from './ws-proxy.js';

export default definePlugin({
  name: 'ws-proxy',
  summary: 'Takes WebSockets and other upgrades through to the services.',
  options: OptionsSchema,
  plugin: WsProxy,
});
