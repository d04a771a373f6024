import { type EndpointContext, type EndpointRouter, GatewayError, type Logger } from '../../core/index.js';
import type { Circuit } from './circuit.js';
import type { NamedCircuit } from './circuit-board.js';
import { describe, summarise } from './reports.js';

/** What the circuit routes work on. */
export interface CircuitsView {
  /** The circuits of each live service that has some, by its name. */
  readonly circuits: () => ReadonlyMap<string, readonly NamedCircuit[]>;
  readonly logger: Logger;
}

const ACTIONS: Readonly<Record<'open' | 'close' | 'reset', (circuit: Circuit) => void>> = {
  open: (circuit) => circuit.hold('OPEN'),
  close: (circuit) => circuit.hold('CLOSED'),
  reset: (circuit) => circuit.reset(),
};

/** `/api/v1/gateway/circuits`: look at circuits, hold them open or closed, reset them. */
export function mountCircuitRoutes(router: EndpointRouter, { circuits, logger }: CircuitsView): void {
  const circuitsOf = (name: string): readonly NamedCircuit[] => {
    const known = circuits().get(name);
    if (known === undefined) {
      throw new GatewayError('SERVICE_NOT_FOUND', { message: 'There is no such service with a circuit' });
    }
    return known;
  };

  router.get('/circuits', (ctx) => {
    const all = [...circuits().values()].flat().map(describe);
    ctx.body = { circuits: all, total: all.length };
  });

  router.get('/circuits/:service', (ctx) => {
    const service = ctx.params.service ?? '';
    show(ctx, service, circuitsOf(service));
  });

  for (const [action, apply] of Object.entries(ACTIONS)) {
    router.post(`/circuits/:service/${action}`, (ctx) => {
      const service = ctx.params.service ?? '';
      const all = circuitsOf(service);
      const target = new URLSearchParams(ctx.gateway.query).get('target');
      const chosen = target === null ? all : all.filter((each) => each.target === target);
      if (chosen.length === 0) {
        throw new GatewayError('NOT_FOUND', { message: 'The service has no circuit for that target' });
      }
      const fields = { service, ...(target === null ? {} : { target }), request_id: ctx.gateway.requestId };
      logger.info({ ...fields, action }, 'An administrator set a circuit');
      for (const { circuit } of chosen) apply(circuit);
      show(ctx, service, circuitsOf(service));
    });
  }
}

function show(ctx: EndpointContext, service: string, circuits: readonly NamedCircuit[]): void {
  ctx.body = { service_name: service, ...summarise(circuits), circuits: circuits.map(describe) };
}
