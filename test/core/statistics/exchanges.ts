import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Decisions, Route } from '../../../core/index.js';
import { Exchange, GatewayRequest } from '../../../core/index.js';
import { Service } from '../../../core/services/service.js';
import { settingsOf } from '../services/support.js';

/** How a request that is over went. */
export interface Ending {
  readonly service?: string;
  readonly route?: string;
  readonly method?: string;
  readonly status?: number;
  /** False for a response that broke off. */
  readonly delivered?: boolean;
  readonly startedAt?: number;
  readonly kind?: 'http' | 'upgrade';
  readonly decisions?: Readonly<Partial<Decisions>> & Readonly<Record<string, string>>;
}

/** A request that is over, without a connection. */
export function requestOf(ending: Ending): GatewayRequest {
  return new GatewayRequest(factsOf(ending));
}

/** A request to a service that is over, without a connection. */
export function exchangeOf(ending: Ending): Exchange {
  const name = ending.service ?? 'demo';
  const route: Route = {
    id: ending.route ?? name,
    service: serviceOf(name),
    pattern: '/',
    methods: undefined,
    plugins: [],
  };
  const exchange = new Exchange(factsOf(ending), route, {}, '/');
  for (const [key, value] of Object.entries(ending.decisions ?? {})) {
    Reflect.apply(exchange.decide, exchange, [key, value]);
  }
  return exchange;
}

function factsOf(ending: Ending) {
  const { method = 'GET', status = 200, delivered = true, startedAt = 0, kind = 'http' } = ending;
  const req = new IncomingMessage(new Socket());
  req.method = method;
  const res = new ServerResponse(req);
  res.statusCode = status;
  Object.defineProperty(res, 'writableFinished', { value: delivered });
  Object.defineProperty(res, 'headersSent', { value: delivered, configurable: true });
  return {
    req,
    res,
    kind,
    requestId: 'req-1',
    startedAt,
    peer: {
      address: '127.0.0.1',
      trusted: false,
      loopback: true,
      node: '127.0.0.1',
      localPort: '80',
      scheme: 'http' as const,
    },
    clientAddress: '127.0.0.1',
    scheme: 'http',
    host: 'localhost',
    hostname: 'localhost',
    path: '/',
    query: '',
    hasBody: false,
    expectsContinue: false,
  };
}

function serviceOf(name: string): Service {
  const settings = settingsOf([]);
  return new Service({ name, origin: 'configuration', settings, targets: [] });
}
