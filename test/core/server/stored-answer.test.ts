import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect, createServer, type Http2ServerResponse } from 'node:http2';
import { expect } from 'chai';
import { fieldsOf } from '../../../core/server/stored-answer.js';

/** What `fieldsOf` makes of a response over HTTP/2, or throws. */
async function fieldsOver2(prepare: (res: Http2ServerResponse) => void): Promise<unknown> {
  let outcome: unknown;
  const server = createServer((_req, res) => {
    prepare(res);
    try {
      // The gateway is handed it in the place of the other.
      outcome = fieldsOf(res as unknown as ServerResponse);
    } catch (error) {
      outcome = error;
    }
    for (const name of res.getHeaderNames()) res.removeHeader(name);
    res.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no address');
  const session = connect(`http://127.0.0.1:${address.port}`);
  const stream = session.request({ ':path': '/' });
  stream.resume();
  await once(stream, 'end');
  session.destroy();
  server.close();
  await once(server, 'close');
  return outcome;
}

describe('fields of a response over HTTP/2', () => {
  it('come as names and values in turn', async () => {
    const fields = await fieldsOver2((res) => {
      res.setHeader('X-One', 'é');
      res.setHeader('Set-Cookie', ['a=1', 'b=2']);
    });
    expect(fields).to.deep.equal(['x-one', 'é', 'set-cookie', 'a=1', 'set-cookie', 'b=2']);
  });

  it('are refused where characters are no bytes: kept as such, these would be a line break', async () => {
    const fields = await fieldsOver2((res) => res.setHeader('X-One', 'a\u010d\u010aSet-Cookie: b=1'));
    expect(fields).to.be.an.instanceOf(TypeError).with.property('code', 'ERR_INVALID_CHAR');
  });
});
