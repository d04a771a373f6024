import 'reflect-metadata';
import { container, type DependencyContainer } from 'tsyringe';

/**
 * A container of its own for one gateway. tsyringe's global container is only ever asked for a child: nothing is
 * registered in it, so that two gateways in one process share nothing.
 */
export function createRootContainer(): DependencyContainer {
  return container.createChildContainer();
}
