import { loadConfiguration } from '../config/load.js';
import { ConfigurationError } from '../config/mistakes.js';
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
    try {
      const next = await load();
      await gateway.reload(next);
      log.setLevel(next.settings.logging.level);
    } catch (err) {
      // The gateway has logged why a configuration did not start; one that cannot be read never reached it.
      if (err instanceof ConfigurationError)
        logger.error({ reason: err.message }, 'The configuration was not reloaded');
    }
  };

  process.on('SIGHUP', () => void reload());
  const stopped = new Promise<void>((resolve) => {
    const stop = (signal: string) => {
      logger.info({ signal }, 'Draining');
      void gateway.stop().then(resolve);
    };
    process.once('SIGTERM', stop);
    process.once('SIGINT', stop);
  });
  try {
    await gateway.start();
    await stopped;
    return 0;
  } finally {
    log.flush();
  }
}
