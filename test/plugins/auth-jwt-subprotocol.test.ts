import { expect } from 'chai';
import { Type } from 'typebox';
import { definePlugin, type GatewayMiddleware, type GatewayPlugin } from '../../core/index.js';
import authJwt from '../../plugins/auth-jwt/index.js';
import { runPlugin } from '../support/plugin-kit.js';
import { fieldValues } from '../support/upstream.js';
import { CLAIMS, hs256, SECRET } from './auth-jwt-tokens.js';

const ECHO = '/api/v1/demo/echo';
const FIELD = 'Sec-WebSocket-Protocol';

describe('auth-jwt: a token among the subprotocols', () => {
  const options = { secret: SECRET, subprotocol: 'bearer.' };

  for (const [name, field, kept] of [
    ['first', `bearer.${hs256()}, v1, v2`, ['v1, v2']],
    ['last', `v1,v2 , bearer.${hs256()}`, ['v1, v2']],
    ['alone', `bearer.${hs256()}`, []],
  ] as const) {
    it(`is taken out: ${name}`, async () => {
      const { agent, upstream } = await runPlugin(authJwt, options);
      await agent.get(ECHO).set(FIELD, field).expect(200);
      const raw = upstream.requests[0]?.rawHeaders ?? [];
      expect(fieldValues(raw, 'sec-websocket-protocol')).to.deep.equal(kept);
      expect(fieldValues(raw, 'x-consumer-id')).to.deep.equal(['alice']);
    });
  }

  it('two of them are refused, and so is none', async () => {
    const { agent } = await runPlugin(authJwt, options);
    await agent.get(ECHO).set(FIELD, `bearer.${hs256()}, bearer.${hs256()}`).expect(401);
    await agent.get(ECHO).set(FIELD, 'v1').expect(401);
    await agent.get(ECHO).set(FIELD, 'bearer.').expect(401);
  });

  it('is no source where it is not configured', async () => {
    const { agent } = await runPlugin(authJwt, { secret: SECRET });
    await agent.get(ECHO).set(FIELD, `bearer.${hs256()}`).expect(401);
  });

  it('the header comes first, and the entry is taken out all the same', async () => {
    const { agent, upstream } = await runPlugin(authJwt, options);
    const other = hs256({ ...CLAIMS, sub: 'bob' });
    await agent
      .get(ECHO)
      .set('Authorization', `Bearer ${other}`)
      .set(FIELD, `v1, bearer.${hs256()}`)
      .expect(200);
    const raw = upstream.requests[0]?.rawHeaders ?? [];
    expect(fieldValues(raw, 'x-consumer-id')).to.deep.equal(['bob']);
    expect(fieldValues(raw, 'sec-websocket-protocol')).to.deep.equal(['v1']);
  });

  it('the consumer says when its token expires', async () => {
    const seen: (number | undefined)[] = [];
    class Watcher implements GatewayPlugin {
      middleware(): GatewayMiddleware {
        return (ctx, next) => {
          seen.push(ctx.gateway.consumer?.expiresAt);
          return next();
        };
      }
    }
    const watcher = definePlugin({
      name: 'watcher',
      summary: 'Watches.',
      options: Type.Object({}),
      plugin: Watcher,
    });
    const { agent } = await runPlugin(
      authJwt,
      { secret: SECRET, requiredClaims: [], clockSkew: '5s' },
      { after: [{ definition: watcher }] },
    );
    const { exp, ...endless } = CLAIMS;
    await agent.get(ECHO).set('Authorization', `Bearer ${hs256()}`).expect(200);
    await agent
      .get(ECHO)
      .set('Authorization', `Bearer ${hs256(endless)}`)
      .expect(200);
    expect(seen).to.deep.equal([exp * 1000 + 5000, undefined]);
  });
});
