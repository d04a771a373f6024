import { PassThrough, type Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import fc from 'fast-check';
import { ReplayBody } from '../../../../core/proxy/retries/replay-body.js';

async function text(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString('latin1');
}

describe('ReplayBody', () => {
  it('is the whole body for each attempt', async () => {
    const source = new PassThrough();
    const body = new ReplayBody(source, 100);
    source.write('hello ');
    source.end('world');
    for (let i = 0; i < 3; i += 1) expect(await text(body.open())).to.equal('hello world');
    expect(body.repeatable).to.equal(true);
  });

  it('goes on from what was kept to what is still to come', async () => {
    const source = new PassThrough();
    const body = new ReplayBody(source, 100);
    source.write('hello ');
    const first = body.open();
    first.once('data', () => first.destroy());
    await finished(first).catch(() => undefined);
    const second = text(body.open());
    source.end('world');
    expect(await second).to.equal('hello world');
  });

  it('keeps no more than its limit', async () => {
    const source = new PassThrough();
    const body = new ReplayBody(source, 5);
    const first = text(body.open());
    source.write('12345');
    await turn();
    expect(body.repeatable).to.equal(true);
    source.end('6');
    expect(await first).to.equal('123456');
    expect(body.repeatable).to.equal(false);
  });

  it('takes nothing from the client before an attempt reads it', async () => {
    const source = new PassThrough();
    const body = new ReplayBody(source, 100);
    source.write('x');
    body.open().destroy();
    await turn();
    expect(source.readableFlowing).to.equal(null);
  });

  it('fails each attempt with the failure of the client', async () => {
    const source = new PassThrough();
    const body = new ReplayBody(source, 100);
    const first = body.open();
    first.resume();
    await turn();
    source.destroy(new Error('gone'));
    expect(await finished(first).catch(String)).to.equal('Error: gone');
    expect(body.repeatable).to.equal(false);
    const second = body.open();
    second.resume();
    expect(await finished(second).catch(String)).to.equal('Error: gone');
  });

  it('ends the source with the last attempt, once there is to be no other', async () => {
    const source = new PassThrough();
    const body = new ReplayBody(source, 100);
    const attempt = body.open();
    source.write('x');
    attempt.resume();
    await turn();
    body.conclude();
    expect(source.destroyed).to.equal(false);
    attempt.destroy();
    expect(source.destroyed).to.equal(true);
  });

  it('ends a source that no attempt reads any more', () => {
    const source = new PassThrough();
    const body = new ReplayBody(source, 100);
    body.open().destroy();
    body.conclude();
    expect(source.destroyed).to.equal(true);
  });

  it('streams with back pressure', async () => {
    const source = new PassThrough();
    const body = new ReplayBody(source, 100);
    body.open().pause().read(0);
    let written = 0;
    while (source.write(Buffer.alloc(1024))) written += 1;
    for (let i = 0; i < 100 && source.writableNeedDrain; i += 1) {
      await turn();
      while (!source.writableNeedDrain && written < 10_000) {
        source.write(Buffer.alloc(1024));
        written += 1;
      }
    }
    expect(written).to.be.below(1000);
  });

  it('is the same bytes for the last attempt, wherever those before it were broken off', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 20_000 }), { maxLength: 8 }),
        fc.array(fc.nat({ max: 40_000 }), { maxLength: 4 }),
        async (chunks, breaks) => {
          const source = new PassThrough();
          const body = new ReplayBody(source, 1_000_000);
          const whole = Buffer.concat(chunks);
          const feeding = (async () => {
            for (const chunk of chunks) {
              source.write(chunk);
              await turn();
            }
            source.end();
          })();
          for (const at of breaks) {
            let seen = 0;
            const attempt = body.open();
            for await (const chunk of attempt) {
              seen += chunk.length;
              if (seen >= at) break;
            }
            attempt.destroy();
          }
          const last = await text(body.open());
          await feeding;
          expect(last === whole.toString('latin1')).to.equal(true);
        },
      ),
      { numRuns: 200 },
    );
  });
});
