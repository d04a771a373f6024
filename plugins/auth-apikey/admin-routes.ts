import {
  type Clock,
  compileOptions,
  type EndpointContext,
  type EndpointRouter,
  GatewayError,
  type Logger,
  readJsonBody,
  type Validated,
} from '../../core/index.js';
import { type Grant, isExpired, type StoredKey } from './api-key.js';
import type { IssuedKey, Keyring } from './keyring.js';
import { type Creation, CreationSchema, parseDateTime, RotationSchema } from './schema.js';

/** What the key routes work on. */
export interface KeysView {
  readonly keyring: Keyring;
  /** The keys of the configuration, by id. */
  readonly configured: ReadonlyMap<string, Grant>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** `/api/v1/gateway/api-keys`: create, list, rotate, revoke. A key is in the response that creates it, and nowhere else. */
export function mountKeyRoutes(router: EndpointRouter, view: KeysView): void {
  const { keyring, configured, clock, logger } = view;
  const checkCreation = compileOptions(CreationSchema);
  const checkRotation = compileOptions(RotationSchema);

  const issue = (ctx: EndpointContext, { key, record }: IssuedKey, event: string) => {
    logger.info({ key_id: record.id, consumer: record.consumer, request_id: ctx.gateway.requestId }, event);
    ctx.status = 201;
    ctx.set('Location', `/api/v1/gateway/api-keys/${record.id}`);
    ctx.body = { ...describe(record, clock.now()), key };
  };
  const changeable = (id: string): string => {
    if (!configured.has(id)) return id;
    throw new GatewayError('CONFLICT', {
      message: 'The key is declared in the configuration, change it there',
    });
  };

  router.post('/api-keys', async (ctx) => {
    const checked = checkCreation(await readJsonBody(ctx.req));
    const grant = grantOf(checked, clock.now());
    issue(ctx, await keyring.create(grant), 'An API key was created');
  });

  router.get('/api-keys', (ctx) => {
    const keys = [...configured.values(), ...keyring.list()].map((key) => describe(key, clock.now()));
    ctx.body = { keys, total: keys.length };
  });

  router.get('/api-keys/:id', (ctx) => {
    const id = ctx.params.id ?? '';
    const key = configured.get(id) ?? keyring.get(id);
    if (key === undefined) throw new GatewayError('NOT_FOUND', { message: 'There is no such API key' });
    ctx.body = describe(key, clock.now());
  });

  router.post('/api-keys/:id/rotate', async (ctx) => {
    const id = changeable(ctx.params.id ?? '');
    const { value, mistakes } = checkRotation(ctx.gateway.hasBody ? await readJsonBody(ctx.req) : {});
    refuseFaults(mistakes);
    issue(ctx, await keyring.rotate(id, value.overlap), 'An API key was rotated');
  });

  router.delete('/api-keys/:id', async (ctx) => {
    const { id, consumer } = await keyring.revoke(changeable(ctx.params.id ?? ''));
    logger.info({ key_id: id, consumer, request_id: ctx.gateway.requestId }, 'An API key was revoked');
    ctx.status = 204;
    ctx.body = null;
  });
}

type Faults = Validated<unknown>['mistakes'];

/** @throws GatewayError BAD_REQUEST with everything that is wrong */
function grantOf({ value, mistakes }: Validated<Creation>, now: number): Omit<Grant, 'id'> {
  const { expiresAt: at, expiresIn, ...grant } = value;
  const faults = [...mistakes];
  const isWrong = (field: string) => mistakes.some(({ path }) => path[0] === field);
  if (at !== undefined && expiresIn !== undefined) {
    faults.push({ path: ['expiresIn'], found: '"expiresAt" as well', expected: 'one of the two' });
  }
  const written = at === undefined || isWrong('expiresAt') ? undefined : parseDateTime(at);
  if (at !== undefined && !isWrong('expiresAt') && (written === undefined || written <= now)) {
    const expected = 'a date and time that exists, in the future';
    faults.push({ path: ['expiresAt'], found: JSON.stringify(at), expected });
  }
  refuseFaults(faults);
  const expiresAt = expiresIn === undefined ? written : Math.floor(now + expiresIn);
  return { ...grant, ...(expiresAt === undefined ? {} : { expiresAt }) };
}

function refuseFaults(faults: Faults): void {
  if (faults.length === 0) return;
  throw new GatewayError('BAD_REQUEST', {
    message: 'The API key is not valid',
    details: faults.map(({ path, found, expected, hint }) => ({
      path: path.join('.'),
      found,
      expected,
      hint,
    })),
  });
}

/** A key for people; never the key itself, nor its hash. Times are ISO 8601, durations seconds. */
function describe(key: Grant | StoredKey, now: number) {
  const stored = 'hash' in key ? key : undefined;
  const { id, consumer, name, services, methods, rateLimit, expiresAt } = key;
  const previous = stored?.previous;
  return {
    id,
    consumer,
    name,
    prefix: stored?.prefix ?? null,
    origin: stored === undefined ? 'configuration' : 'runtime',
    status: isExpired(key, now) ? 'expired' : 'active',
    services: services ?? null,
    methods: methods ?? null,
    rateLimit: rateLimit === undefined ? null : { ...rateLimit, window: rateLimit.window / 1000 },
    expiresAt: isoTime(expiresAt),
    createdAt: isoTime(stored?.createdAt),
    rotatedAt: isoTime(stored?.rotatedAt),
    previous:
      previous === undefined || now >= previous.until
        ? null
        : { prefix: previous.prefix, validUntil: isoTime(previous.until) },
  };
}

function isoTime(time: number | undefined): string | null {
  return time === undefined ? null : new Date(time).toISOString();
}
