import { expect } from 'chai';
import { Authentication, type AuthenticationMode } from '../../../core/authentication/authentication.js';
import { GatewayError } from '../../../core/errors.js';
import type { GatewayContext, GatewayState, Route } from '../../../core/plugin.js';
import { serviceOf, settingsOf } from '../services/support.js';

const plugin = (id: string, ...provides: 'authentication'[]) => ({ id, name: id, provides });
const route: Route = {
  id: 'r',
  service: serviceOf('a', settingsOf(['http://a'])),
  pattern: '/',
  methods: undefined,
  plugins: [
    plugin('jwt', 'authentication'),
    plugin('cors'),
    plugin('key', 'authentication'),
    plugin('cache'),
  ],
};
const alice = { id: 'alice', authenticatedBy: 'jwt' };
const refusal = (message: string, challenge?: string) =>
  new GatewayError('UNAUTHORIZED', {
    message,
    ...(challenge === undefined ? {} : { headers: { 'WWW-Authenticate': challenge } }),
  });

/** What authentication sees of a request. */
function context(): GatewayContext {
  const parts: { state: GatewayState; gateway: { consumer: undefined } } = {
    state: {},
    gateway: { consumer: undefined },
  };
  return parts as unknown as GatewayContext;
}

const both = (mode: AuthenticationMode) =>
  [new Authentication(route, 'jwt', mode), new Authentication(route, 'key', mode)] as const;

function thrown(call: () => void): GatewayError {
  try {
    call();
  } catch (error) {
    if (error instanceof GatewayError) return error;
  }
  throw new Error('Expected a refusal');
}

describe('Authentication', () => {
  describe('any', () => {
    it('is settled by the first to accept, who names the consumer', () => {
      const [jwt, key] = both('any');
      const ctx = context();
      expect(jwt.isSettled(ctx)).to.equal(false);
      jwt.accept(ctx, alice);
      key.accept(ctx, { id: 'bob', authenticatedBy: 'key' });
      expect(key.isSettled(ctx)).to.equal(true);
      expect(ctx.gateway.consumer).to.equal(alice);
    });

    it('leaves the decision to the last one', () => {
      const [jwt, key] = both('any');
      const ctx = context();
      jwt.refuse(ctx, refusal('no token'), false);
      key.accept(ctx, alice);
      expect(key.isSettled(ctx)).to.equal(true);
    });

    it('refuses when nobody accepts, for the reason of whoever was shown a credential', () => {
      const [jwt, key] = both('any');
      const ctx = context();
      jwt.refuse(ctx, refusal('the token has expired'), true);
      const error = thrown(() => key.refuse(ctx, refusal('no key'), false));
      expect(error.message).to.equal('the token has expired');
    });

    it('tells every way in', () => {
      const [jwt, key] = both('any');
      const ctx = context();
      jwt.refuse(ctx, refusal('no token', 'Bearer'), false);
      const error = thrown(() => key.refuse(ctx, refusal('no key', 'ApiKey'), false));
      expect(error.headers).to.deep.equal({ 'WWW-Authenticate': 'Bearer, ApiKey' });
    });

    it('tells the one way in also when the error of another is the answer', () => {
      const [jwt, key] = both('any');
      const ctx = context();
      jwt.refuse(ctx, refusal('no token', 'Bearer'), false);
      const error = thrown(() => key.refuse(ctx, refusal('unknown key'), true));
      expect(error.message).to.equal('unknown key');
      expect(error.headers).to.deep.equal({ 'WWW-Authenticate': 'Bearer' });
    });
  });

  describe('all', () => {
    it('refuses as soon as one does', () => {
      const [jwt, key] = both('all');
      const ctx = context();
      jwt.accept(ctx, alice);
      expect(key.isSettled(ctx)).to.equal(false);
      expect(thrown(() => key.refuse(ctx, refusal('no key'), false)).message).to.equal('no key');
      expect(thrown(() => jwt.refuse(context(), refusal('no token'), false)).message).to.equal('no token');
    });
  });
});
