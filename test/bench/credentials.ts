import { createHmac } from 'node:crypto';

/** A shared secret of good length that guards nothing. */
export const BENCH_SECRET = 'bench-only-0123456789-0123456789-0123456789-0123456789';

/** An API key that opens nothing. */
export const BENCH_API_KEY = 'gw_bench-only-0123456789-0123456789-0123456789';

/** A token that is signed with {@link BENCH_SECRET} (HS256, RFC 7515) and good for a day. */
export function benchToken(): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  const claims = { sub: 'bench', iat: now, exp: now + 86_400, scope: 'read write' };
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${signed}.${createHmac('sha256', BENCH_SECRET).update(signed).digest('base64url')}`;
}
