import type { LoadedConfiguration } from '../config/load.js';
import { Gateway } from '../gateway.js';
import type { Generation } from '../generation.js';
import { load } from './load.js';
import type { CommandContext } from './program.js';

/** A configuration, and the generation that it would run as. */
export interface Inspection {
  readonly configuration: LoadedConfiguration;
  readonly generation: Generation;
}

/**
 * Loads a configuration and builds its generation, plugins and all, without starting anything: no hook runs, nothing
 * listens, and no upstream is asked.
 *
 * @throws ConfigurationError with every mistake
 */
export async function inspect<T>(
  { file, catalogue }: CommandContext,
  look: (inspection: Inspection) => T,
): Promise<T> {
  const configuration = await load({ file, catalogue });
  const gateway = new Gateway(configuration, { catalogue });
  return gateway.dryRun((generation) => look({ configuration, generation }));
}
