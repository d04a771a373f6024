import type { ServerResponse } from 'node:http';
import { inject, injectable } from 'tsyringe';
import { Type } from 'typebox';
import {
  definePlugin,
  type GatewayMiddleware,
  type GatewayPlugin,
  SERVICES,
  type ServiceRegistry,
} from '../../../core/index.js';
import circuitBreaker from '../../../plugins/circuit-breaker/index.js';
import { type PluginKit, type PluginKitOptions, runPlugin } from '../../support/plugin-kit.js';
import type { UpstreamHandler } from '../../support/upstream.js';

export const PATH = '/api/v1/demo/echo';
export const CIRCUIT = '/api/v1/gateway/circuits/demo';

/** A circuit breaker at work, with an upstream that answers as it is told. */
export interface BreakerKit extends PluginKit {
  /** What the upstream answers with; 200 at first. */
  answer: number | UpstreamHandler;
  /** Sends so many requests, one after the other; their statuses. */
  ask(times: number, path?: string): Promise<number[]>;
  /** What `/stats` says of the circuit of a service. */
  stats(service?: string): Promise<Record<string, unknown> | undefined>;
  /** The state that `/stats` says the circuit of a service is in. */
  state(service?: string): Promise<string>;
}

/** Runs the plugin with these options, without retries. */
export async function runBreaker(options: object = {}, more: PluginKitOptions = {}): Promise<BreakerKit> {
  let answer: number | UpstreamHandler = 200;
  const upstream: UpstreamHandler = (req, res, recorded) => {
    if (typeof answer === 'function') return answer(req, res, recorded);
    const status = answer;
    req.resume();
    req.on('end', () => end(res, status));
  };
  // One attempt per request, so that the circuit's calls can be counted.
  const service = { retries: { attempts: 1 }, ...more.service };
  const kit = await runPlugin(circuitBreaker, options, { upstream, ...more, service });
  const stats = async (service = 'demo') => {
    const { body } = await kit.agent.get('/api/v1/gateway/stats').expect(200);
    return body.circuit_breaker_stats[service];
  };
  return {
    ...kit,
    get answer() {
      return answer;
    },
    set answer(next) {
      answer = next;
    },
    async ask(times, path = PATH) {
      const statuses: number[] = [];
      for (let i = 0; i < times; i++) statuses.push((await kit.agent.get(path)).status);
      return statuses;
    },
    stats,
    state: async (service) => (await stats(service))?.state,
  };
}

function end(res: ServerResponse, status: number): void {
  res.writeHead(status, { 'content-type': 'text/plain' });
  res.end(`status ${status}`);
}

@injectable()
class Steering implements GatewayPlugin {
  readonly #services: ServiceRegistry;

  constructor(@inject(SERVICES) services: ServiceRegistry) {
    this.#services = services;
  }

  middleware(): GatewayMiddleware {
    return (ctx, next) => {
      const service = this.#services.get(String(ctx.req.headers['x-to-service']));
      if (service !== undefined) ctx.gateway.service = service;
      return next();
    };
  }
}

/** Leads a request to the service that its `X-To-Service` names. */
export const steering = definePlugin({
  name: 'steering',
  summary: 'For tests.',
  options: Type.Object({}),
  plugin: Steering,
});
