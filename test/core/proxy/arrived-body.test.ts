import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import fc from 'fast-check';
import { Type } from 'typebox';
import { definePlugin, type GatewayContext, type GatewayPlugin } from '../../../core/index.js';
import { runPlugin } from '../../support/plugin-kit.js';
import { RawConnection } from '../../support/raw-client.js';
import { fieldValues } from '../../support/upstream.js';

/** Notes how the body of each request was forwarded. */
function watching(forms: string[]) {
  class Watching implements GatewayPlugin {
    middleware() {
      return async ({ gateway }: GatewayContext, next: () => Promise<void>) => {
        await next();
        forms.push(gateway.body === undefined ? 'stream' : 'buffer');
      };
    }
  }
  return definePlugin({ name: 'watching', summary: 'Watches.', options: Type.Object({}), plugin: Watching });
}

const HEAD = 'POST /api/v1/demo/x HTTP/1.1\r\nHost: a\r\nContent-Length: ';
const SECOND = 'GET /api/v1/demo/second HTTP/1.1\r\nHost: a\r\n\r\n';

describe('a request body that came along with its head', () => {
  it('is forwarded without a stream', async () => {
    const forms: string[] = [];
    const { agent, upstream } = await runPlugin(watching(forms));
    await agent.post('/api/v1/demo/x').type('text/plain').send('abc').expect(200);
    expect(forms).to.deep.equal(['buffer']);
    expect(upstream.requests[0]?.body.toString()).to.equal('abc');
  });

  it('reaches the upstream the same wherever the client cuts it, and the next request behind it', async () => {
    const forms: string[] = [];
    const { port, upstream } = await runPlugin(watching(forms));
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 300 }),
        fc.array(fc.nat({ max: 400 }), { maxLength: 3 }),
        async (body, cuts) => {
          upstream.requests.length = 0;
          const connection = await RawConnection.open(port);
          const bytes = `${HEAD}${body.length}\r\n\r\n${body}${SECOND}`;
          const places = [...cuts.map((cut) => cut % bytes.length).sort((a, b) => a - b), bytes.length];
          let from = 0;
          for (const to of places) {
            if (to > from) connection.send(bytes.slice(from, to));
            from = to;
            await turn();
          }
          const { responses } = await connection.responses(2);
          connection.destroy();
          expect(responses.map(({ status }) => status)).to.deep.equal([200, 200]);
          const first = upstream.requests.find(({ url }) => url === '/api/v1/x');
          expect(first?.body.toString('latin1')).to.equal(body);
          expect(fieldValues(first?.rawHeaders ?? [], 'content-length')).to.deep.equal([`${body.length}`]);
        },
      ),
      { numRuns: 60 },
    );
    expect(new Set(forms)).to.include('buffer');
  });
});
