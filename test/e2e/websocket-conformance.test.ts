import { expect } from 'chai';
import { catalogue } from '../../plugins/index.js';
import { Codec } from '../conformance/websocket/codec.js';
import { startOtherEcho } from '../conformance/websocket/other-echo.js';
import { startSloppyServer } from '../conformance/websocket/sloppy-server.js';
import { ECHO_OPTIONS, gatewayConfig } from '../conformance/websocket/subjects.js';
import { CASES, GROUPS, line, runCases, type Verdict } from '../conformance/websocket/verdicts.js';
import { startWebSocketUpstream, type WebSocketUpstream } from '../plugins/ws-proxy/sockets.js';
import { type RunningGateway, startGateway } from '../support/gateway.js';
import { until } from '../support/until.js';

const MODES = ['managed', 'tunnel'] as const;
type Verdicts = ReadonlyMap<string, Verdict>;

/** Verdicts by id and title, of a group or all. */
function listed(verdicts: Verdicts, group?: string): Record<string, string> {
  const cases = CASES.filter(
    ({ id }) => verdicts.has(id) && (group === undefined || id.startsWith(`${group}.`)),
  );
  return Object.fromEntries(
    cases.map(({ id, title }) => {
      const verdict = verdicts.get(id);
      return [`${id} ${title}`, verdict === undefined ? 'not run' : line(verdict)];
    }),
  );
}

/** Ids of the cases with this verdict. */
function withVerdict(verdicts: Verdicts, wanted: Verdict['verdict']): string[] {
  return [...verdicts].filter(([, { verdict }]) => verdict === wanted).map(([id]) => id);
}

describe('an independent WebSocket client through the gateway', function () {
  this.timeout(60_000);
  let codec: Codec;

  before(async () => {
    codec = await Codec.load();
  });

  it('has cases of every group, each with an id of its own', () => {
    expect(new Set(CASES.map(({ id }) => id)).size).to.equal(CASES.length);
    expect(new Set(CASES.map(({ id }) => id.split('.')[0]))).to.deep.equal(new Set(GROUPS.keys()));
  });

  it('finds a server wrong that checks nothing', async () => {
    const sloppy = await startSloppyServer(codec);
    const wrong = ['2.5', '3.1', '4.1.1', '5.9', '6.3.1', '7.3.2', '14.1'];
    const cases = CASES.filter(({ id }) => wrong.includes(id)).map((each) => ({ ...each, limit: 500 }));
    const verdicts = await runCases(codec, sloppy.url, cases);
    sloppy.close();
    expect(withVerdict(verdicts, 'FAILED')).to.have.members(wrong);
  });

  describe('in front of an echo server of ws', () => {
    let echo: WebSocketUpstream;
    let gateway: RunningGateway;
    let direct: Verdicts;

    before(async () => {
      echo = await startWebSocketUpstream(undefined, ECHO_OPTIONS);
      gateway = await startGateway(gatewayConfig(echo.url), { catalogue });
      direct = await runCases(codec, echo.url);
    });

    after(async () => {
      await gateway?.stop();
      await echo?.close();
    });

    it('the server itself fails no case', () => {
      expect(withVerdict(direct, 'FAILED')).to.deep.equal([]);
    });

    for (const mode of MODES) {
      describe(mode, () => {
        let through: Verdicts;

        before(async () => {
          through = await runCases(codec, `${gateway.url}/ws/${mode}/`);
        });

        for (const [group, name] of GROUPS) {
          it(`the same verdicts as directly: ${group}, ${name}`, () => {
            expect(listed(through, group)).to.deep.equal(listed(direct, group));
          });
        }

        it('no connection is left behind', async () => {
          const targets = gateway.gateway.services.get(mode)?.targets ?? [];
          expect(targets).to.have.length(1);
          await until(
            'the end of all connections',
            () => targets.every(({ active }) => active === 0),
            12_000,
          );
        });
      });
    }
  });

  describe('in front of an echo server of another implementation', () => {
    // It knows no compression, and large messages are the same for it.
    const cases = CASES.filter(({ id }) => !/^(?:9|12|13)\./.test(id)).map((each) => ({
      ...each,
      limit: 2000,
    }));
    let echo: Awaited<ReturnType<typeof startOtherEcho>>;
    let gateway: RunningGateway;
    let direct: Verdicts;

    before(async () => {
      echo = await startOtherEcho();
      gateway = await startGateway(gatewayConfig(echo.url), { catalogue });
      direct = await runCases(codec, echo.url, cases);
    });

    after(async () => {
      await gateway?.stop();
      echo?.close();
    });

    it('tunnel: the same verdicts as directly, its faults among them', async () => {
      const through = await runCases(codec, `${gateway.url}/ws/tunnel/`, cases);
      expect(listed(through)).to.deep.equal(listed(direct));
    });

    it('managed: all that it stands directly, and none of its faults', async () => {
      const through = await runCases(codec, `${gateway.url}/ws/managed/`, cases);
      const passed = withVerdict(direct, 'OK');
      expect(passed.length).to.be.greaterThan(200);
      expect(withVerdict(through, 'OK')).to.include.members(passed);
      expect(withVerdict(through, 'FAILED')).to.deep.equal([]);
    });
  });
});
