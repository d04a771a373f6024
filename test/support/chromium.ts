import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';

/**
 * Starts the headless Chromium that is installed on this machine.
 *
 * @param args further arguments of its command line
 * @throws Error where it is not installed: the tests cannot be made without it
 */
export function launchChromium(args: readonly string[]): Promise<Browser> {
  // Without a sandbox, which root cannot have.
  return chromium.launch({ executablePath: chromiumPath(), args: ['--no-sandbox', ...args] });
}

function chromiumPath(): string {
  for (const directory of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(directory, 'chromium');
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this one.
    }
  }
  throw new Error('chromium is not on the PATH: install the Debian package chromium (.ci/run does)');
}
