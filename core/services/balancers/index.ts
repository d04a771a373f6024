import type { LoadBalancingSettings } from '../../config/service-schema.js';
import type { Balancer } from '../balancer.js';
import { ConsistentHash } from './consistent-hash.js';
import { hashKeyOf } from './hash-key.js';
import { LeastConnections } from './least-connections.js';
import { PowerOfTwoChoices } from './power-of-two-choices.js';
import { RoundRobin } from './round-robin.js';

/**
 * The balancer that the settings ask for, without targets yet.
 *
 * @param random in [0, 1); Math.random by default
 */
export function createBalancer(
  settings: LoadBalancingSettings,
  random: () => number = Math.random,
): Balancer {
  switch (settings.algorithm) {
    case 'round-robin':
      return new RoundRobin();
    case 'least-connections':
      return new LeastConnections();
    case 'power-of-two-choices':
      return new PowerOfTwoChoices(random);
    case 'consistent-hash':
      return new ConsistentHash(hashKeyOf(settings));
  }
}
