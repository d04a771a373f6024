import type { Clock, EndToEndFields, ServiceRegistry, Target } from '../../core/index.js';
import { authorityOf, type TargetConnections } from './connect-target.js';

/** What both modes work with. */
export interface ModeParts {
  readonly clock: Clock;
  readonly services: ServiceRegistry;
  readonly connections: TargetConnections;
  readonly fields: EndToEndFields;
}

/** The fields of a request with a `Host`: the target's own, where the client's is not kept. */
export function withHost(fields: readonly string[], target: Target): readonly string[] {
  return fields[0]?.toLowerCase() === 'host' ? fields : ['Host', authorityOf(target), ...fields];
}
