import { stopPlugins } from './plugin-kit.js';

/** Whatever a test started with the plugin kit ends with the test. */
export const mochaHooks = { afterEach: () => stopPlugins() };
