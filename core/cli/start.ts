import { LONGEST_TIMER } from '../config/units.js';
import { Gateway } from '../gateway.js';
import { createLog } from '../log/logger.js';
import { load } from './load.js';
import type { CommandContext } from './program.js';

/** `gateway start`: runs until SIGTERM or SIGINT, then drains and exits 0; SIGHUP reloads the configuration. */
export async function start(context: CommandContext): Promise<number> {
  const configuration = await load(context);
  const { level, pretty = process.stdout.isTTY } = configuration.settings.logging;
  const log = createLog({ level, pretty });
  const { logger } = log;
  logger.info({ file: configuration.file ?? 'none: the defaults apply' }, 'The configuration was read');
  const gateway = new Gateway(configuration, { catalogue: context.catalogue, logger });

  const reload = async () => {
    try {
      const { settings } = await gateway.reload(() => load(context));
      log.setLevel(settings.logging.level);
    } catch {
      // The gateway has logged why, and goes on with what it had.
    }
  };
  // Timers and hooks that are waited for do not keep the process alive; it is to end by returning from here only.
  const alive = setInterval(() => {}, LONGEST_TIMER);
  process.on('SIGHUP', reload);
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
    process.off('SIGHUP', reload);
    clearInterval(alive);
    log.flush();
  }
}
