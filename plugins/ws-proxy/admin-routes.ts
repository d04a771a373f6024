import { type EndpointContext, type EndpointRouter, GatewayError, type Logger } from '../../core/index.js';
import type { ConnectionRecord } from './connection-record.js';
import type { ConnectionTable } from './connection-table.js';

const DEFAULT_PAGE = 100;
const LARGEST_PAGE = 1000;
const REASON = 'Closed by an administrator';

/** `/api/v1/gateway/websockets`: list, count and close open connections. */
export function mountConnectionRoutes(router: EndpointRouter, table: ConnectionTable, logger: Logger): void {
  router.get('/websockets', (ctx) => {
    const service = parameter(ctx, 'service');
    const limit = Math.min(whole(ctx, 'limit') ?? DEFAULT_PAGE, LARGEST_PAGE);
    const offset = whole(ctx, 'offset') ?? 0;
    const connections: object[] = [];
    const byService: Record<string, number> = Object.create(null);
    let total = 0;
    for (const record of table.all()) {
      byService[record.service] = (byService[record.service] ?? 0) + 1;
      if (service !== undefined && record.service !== service) continue;
      if (total >= offset && connections.length < limit) connections.push(describe(record));
      total++;
    }
    ctx.body = { connections, total, limit, offset, by_service: byService };
  });

  router.get('/websockets/:id', (ctx) => {
    ctx.body = describe(find(table, ctx.params.id));
  });

  router.delete('/websockets/:id', (ctx) => {
    const { id, service } = find(table, ctx.params.id);
    table.get(id)?.close(1001, REASON, 'administrator');
    logger.info(
      { connection: id, service, request_id: ctx.gateway.requestId },
      'A connection was closed on demand',
    );
    ctx.status = 204;
    ctx.body = null;
  });

  router.delete('/websockets', (ctx) => {
    const service = parameter(ctx, 'service');
    const all = parameter(ctx, 'all') === 'true';
    // All of them by mistake would be a pity.
    if ((service === undefined) === !all) {
      throw new GatewayError('BAD_REQUEST', {
        message: 'Name the service with ?service=…, or say ?all=true',
      });
    }
    const closed = table.close(service, 1001, REASON, 'administrator');
    logger.info({ service, closed, request_id: ctx.gateway.requestId }, 'Connections were closed on demand');
    ctx.body = { closed };
  });
}

function find(table: ConnectionTable, id: string | undefined): ConnectionRecord {
  const record = table.get(id ?? '');
  if (record === undefined) throw new GatewayError('NOT_FOUND', { message: 'There is no such connection' });
  return record;
}

function parameter({ query }: EndpointContext, name: string): string | undefined {
  const value = query[name];
  return Array.isArray(value) ? value[0] : value;
}

/** @throws GatewayError BAD_REQUEST */
function whole(ctx: EndpointContext, name: string): number | undefined {
  const text = parameter(ctx, name);
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) {
    throw new GatewayError('BAD_REQUEST', { message: `${name} must be a whole number` });
  }
  return Number(text);
}

function describe(record: ConnectionRecord): object {
  const { messagesIn, messagesOut, bytesIn, bytesOut, reconnects } = record.measure();
  const isManaged = record.mode === 'managed';
  return {
    id: record.id,
    request_id: record.requestId,
    service: record.service,
    route: record.route,
    mode: record.mode,
    path: record.path,
    client: record.client,
    consumer: record.consumer?.id ?? null,
    target: record.target,
    protocol: record.protocol === '' ? null : record.protocol,
    opened_at: new Date(record.startedAt).toISOString(),
    messages_in: isManaged ? messagesIn : null,
    messages_out: isManaged ? messagesOut : null,
    bytes_in: bytesIn,
    bytes_out: bytesOut,
    reconnects,
  };
}
