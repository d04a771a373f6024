import { type LoadedConfiguration, loadConfiguration } from '../config/load.js';
import { ConfigurationError } from '../config/mistakes.js';
import { LONGEST_TIMER } from '../config/units.js';
import { Gateway } from '../gateway.js';
import { createLog } from '../log/logger.js';
import type { CommandContext } from './program.js';

/** `gateway start`: runs until SIGTERM or SIGINT, then drains and exits 0; SIGHUP reloads the configuration. */
export async function start({ file, catalogue }: CommandContext): Promise<number> {
  const load = () =>
    loadConfiguration({
      ...(file === undefined ? {} : { file }),
      cwd: process.cwd(),
      env: process.env,
      catalogueNames: Object.keys(catalogue),
    });
  const configuration = await load();
  const { level, pretty = process.stdout.isTTY } = configuration.settings.logging;
  const log = createLog({ level, pretty });
  const { logger } = log;
  logger.info({ file: configuration.file ?? 'none: the defaults apply' }, 'The configuration was read');
  const gateway = new Gateway(configuration, { catalogue, logger });

  const reload = async () => {
    let next: LoadedConfiguration;
    try {
      next = await load();
    } catch (err) {
      if (err instanceof ConfigurationError)
        logger.error({ reason: err.message }, 'The configuration was not reloaded');
      else logger.error({ err }, 'The configuration was not reloaded');
      return;
    }
    try {
      await gateway.reload(next);
      log.setLevel(next.settings.logging.level);
    } catch {
      // The gateway has logged why, and goes on with what it had.
    }
  };
  // One after the other: what was read last is to stay.
  let reloads = Promise.resolve();
  const onReload = () => {
    reloads = reloads.then(reload);
  };
  // Timers and hooks that are waited for do not keep the process alive; it is to end by returning from here only.
  const alive = setInterval(() => {}, LONGEST_TIMER);
  process.on('SIGHUP', onReload);
  const stopped = new Promise<void>((resolve, reject) => {
    const stop = (signal: string) => {
      logger.info({ signal }, 'Draining');
      gateway.stop().then(resolve, reject);
    };
    process.once('SIGTERM', stop);
    process.once('SIGINT', stop);
  });
  try {
    await gateway.start();
    await stopped;
    return 0;
  } finally {
    process.off('SIGHUP', onReload);
    clearInterval(alive);
    log.flush();
  }
}
