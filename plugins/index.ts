import type { PluginCatalogue } from '../core/index.js';

/** The plugins that ship with the gateway. A plugin's module is only imported when the configuration names it. */
export const catalogue: PluginCatalogue = {
  'access-log': () => import('./access-log/index.js'),
};
