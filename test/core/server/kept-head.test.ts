import { createServer, type IncomingMessage } from 'node:http';
import { expect } from 'chai';
import fc from 'fast-check';
import { GatewayResponse } from '../../../core/server/gateway-response.js';
import { type KeptHead, serialiseFields } from '../../../core/server/response-head.js';
import { everythingSent } from '../../support/everything-sent.js';

const DATE = 'Mon, 23 Nov 2026 11:00:00 GMT';
const BODY = 'caf\xe9\x00\xff';
const LENGTH = String(BODY.length);
const KEPT = [
  ...['Content-Type', 'text/plain', 'Date', DATE, 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=\xe9'],
  ...['Vary', 'Accept', 'X-Kept', 'yes', 'Content-Length', LENGTH],
];
const OWN = ['Age', '7', 'X-Cache-Status', 'HIT', 'Cache-Status', 'gateway; hit', 'X-Request-Id', 'r-1'];

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const REQUESTS = {
  'HTTP/1.1': GET,
  HEAD: 'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n',
  'HTTP/1.0': 'GET / HTTP/1.0\r\n\r\n',
  'HTTP/1.0 that keeps alive': 'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
  'a client that closes': 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
  'requests one behind the other': GET + GET + GET,
};

/** What becomes of a response before and after it gets its fields; what it returns is compared too. */
interface Handling {
  readonly before?: (res: GatewayResponse) => unknown;
  readonly after?: (res: GatewayResponse) => unknown;
  readonly status?: number;
  readonly head?: KeptHead;
  readonly own?: readonly string[];
  readonly body?: string;
  readonly request?: string;
}

interface Outcome {
  /** All that the client gets until the connection is closed. */
  readonly bytes: string;
  readonly seen: readonly unknown[];
}

/** Frozen: it belongs to nobody who answers with it. */
function headOf(fields: readonly string[], length = BODY.length): KeptHead {
  return Object.freeze({
    fields: Object.freeze([...fields]),
    lines: serialiseFields(fields, length),
    length,
  });
}

const HEAD = headOf(KEPT);

async function sent(way: 'adopt' | 'adoptKept', handling: Handling): Promise<Outcome> {
  const { before, after, status = 200, head = HEAD, own = OWN, body = BODY, request = GET } = handling;
  const seen: unknown[] = [];
  const options = { ServerResponse: GatewayResponse, keepAliveTimeout: 7_000 };
  const server = createServer<typeof IncomingMessage, typeof GatewayResponse>(options, (req, res) => {
    req.resume();
    res.statusCode = status;
    seen.push(before?.(res));
    if (way === 'adopt') res.adopt(head.fields.concat(own));
    else res.adoptKept(head, [...own]);
    seen.push(after?.(res));
    res.endWith(body);
    seen.push(res.headersSent, res.writableEnded, [...res.fields]);
  });
  return { bytes: await everythingSent(server, request, DATE), seen };
}

/** Answers both ways, and gives what was sent. */
async function same(handling: Handling): Promise<string> {
  const kept = await sent('adoptKept', handling);
  expect(kept).to.deep.equal(await sent('adopt', handling));
  expect(kept.bytes).to.match(/^HTTP\/1\.1 \d{3} /);
  return kept.bytes;
}

const LOOKS: Record<string, (res: GatewayResponse) => unknown> = {
  nobody: () => undefined,
  getHeader: (res) => [res.getHeader('content-type'), res.getHeader('Set-Cookie'), res.getHeader('age')],
  hasHeader: (res) => [res.hasHeader('x-kept'), res.hasHeader('Age'), res.hasHeader('X-None')],
  getHeaders: (res) => ({ ...res.getHeaders() }),
  getHeaderNames: (res) => res.getHeaderNames(),
  getRawHeaderNames: (res) => res.getRawHeaderNames(),
  fields: (res) => [...res.fields],
  headersSent: (res) => res.headersSent,
};

const CHANGES: Record<string, (res: GatewayResponse) => unknown> = {
  'setHeader of a new field': (res) => void res.setHeader('X-New', 1),
  'setHeader of a kept field': (res) => void res.setHeader('x-kept', 'no'),
  'setHeader of one that is there twice': (res) => void res.setHeader('set-cookie', 'c=3'),
  'setHeader of an own field': (res) => void res.setHeader('AGE', 8),
  'setHeader with several values': (res) => void res.setHeader('Vary', ['Accept', 'Origin']),
  'setHeader of Connection': (res) => void res.setHeader('Connection', 'close'),
  setHeaders: (res) => void res.setHeaders(new Map([['x-kept', 'no']])),
  appendHeader: (res) => void res.appendHeader('Vary', 'Origin'),
  'removeHeader of a kept field': (res) => res.removeHeader('Set-Cookie'),
  'removeHeader of an own field': (res) => res.removeHeader('x-request-id'),
  'removeHeader of Date': (res) => res.removeHeader('Date'),
  'removeHeader of Content-Length': (res) => res.removeHeader('Content-Length'),
  'removeHeader of what is not there': (res) => res.removeHeader('X-None'),
  put: (res) => res.put(['Age', '9', 'Vary', 'Origin', 'X-New', 'new', 'X-Kept', 'no']),
  adopt: (res) => res.adopt(['X-Kept', 'no', 'Vary', 'Origin', 'X-New', 'new']),
  'adopt of nothing': (res) => res.adopt([]),
  restore: (res) => res.restore(['Date', DATE, 'X-Restored', 'yes']),
  'restore of nothing': (res) => res.restore([]),
  'adoptKept of another': (res) => res.adoptKept(headOf(['Date', DATE, 'X-Other', 'yes']), ['Via', 'a']),
  'restore, then adoptKept': (res) => {
    res.restore([]);
    res.adoptKept(headOf(['Date', DATE, 'X-Other', 'yes', 'Content-Length', LENGTH]), ['Via', 'a']);
  },
  'writeHead with fields': (res) => void res.writeHead(203, { 'X-Kept': 'no', 'X-New': ['1', '2'] }),
  'writeHead with a flat list': (res) => void res.writeHead(203, ['x-kept', 'no', 'Vary', 'Origin']),
  'writeHead with a reason': (res) => void res.writeHead(404, 'Gone astray', { 'X-New': 'new' }),
  'writeHead with nothing': (res) => void res.writeHead(203),
  flushHeaders: (res) => res.flushHeaders(),
  'a status of its own': (res) => {
    res.statusCode = 599;
  },
  'a reason of its own': (res) => {
    res.statusMessage = 'Fine';
  },
  'a wrapped writeHead': (res) => {
    const { writeHead } = res;
    res.writeHead = (status: number) => {
      res.setHeader('X-Wrapped', String(res.getHeader('x-kept')));
      return writeHead.call(res, status);
    };
  },
};

const name = fc.constantFrom(
  ...['Content-Type', 'content-type', 'Date', 'Set-Cookie', 'VARY', 'X-Kept', 'x-kept', 'Age', 'X-New'],
  ...['Cache-Status', 'Content-Length', 'Connection', 'Trailer'],
);
const value = fc.constantFrom('close', LENGTH, 'some text', '\xe9');
const flat = fc.array(fc.tuple(name, value), { maxLength: 3 }).map((pairs) => pairs.flat());

/** Plain data, so that a counterexample can be read; done to both responses alike. */
type Act =
  | readonly ['look', keyof typeof LOOKS]
  | readonly ['set', string, string | string[]]
  | readonly ['append', string, string]
  | readonly ['remove', string]
  | readonly ['put' | 'adopt' | 'restore' | 'adoptKept', readonly string[]];

const act: fc.Arbitrary<Act> = fc.oneof(
  fc.tuple(fc.constant('look' as const), fc.constantFrom(...Object.keys(LOOKS))),
  fc.tuple(fc.constant('set' as const), name, fc.oneof(value, fc.array(value, { maxLength: 2 }))),
  fc.tuple(fc.constant('append' as const), name, value),
  fc.tuple(fc.constant('remove' as const), name),
  fc.tuple(fc.constantFrom('put' as const, 'adopt' as const, 'restore' as const, 'adoptKept' as const), flat),
);

function perform(res: GatewayResponse, acts: readonly Act[]): unknown[] {
  return acts.map((each) => {
    switch (each[0]) {
      case 'look':
        return LOOKS[each[1]]?.(res);
      case 'set':
        return void res.setHeader(each[1], each[2]);
      case 'append':
        return void res.appendHeader(each[1], each[2]);
      case 'remove':
        return res.removeHeader(each[1]);
      case 'adoptKept':
        return res.adoptKept(headOf(each[1]), ['Via', 'a']);
      default:
        return res[each[0]]([...each[1]]);
    }
  });
}

describe('GatewayResponse.adoptKept', () => {
  it('sends the very lines that were kept, where nobody looks', async () => {
    const head = { ...HEAD, lines: `X-Lines: these\r\n${HEAD.lines}` };
    const { bytes } = await sent('adoptKept', { head });
    expect(bytes).to.equal(
      `HTTP/1.1 200 OK\r\nX-Lines: these\r\n${HEAD.lines}Age: 7\r\nX-Cache-Status: HIT\r\n` +
        'Cache-Status: gateway; hit\r\nX-Request-Id: r-1\r\n' +
        `Connection: keep-alive\r\nKeep-Alive: timeout=7\r\n\r\n${BODY}`,
    );
    const looked = await sent('adoptKept', { head, after: (res) => res.hasHeader('X-Lines') });
    expect(looked.bytes).to.equal(bytes.replace('X-Lines: these\r\n', ''));
    expect(looked.seen[1]).to.equal(false);
  });

  for (const [title, look] of Object.entries(LOOKS)) {
    it(`sends the same as adopt, whoever looked: ${title}`, async () => {
      expect(await same({ after: look })).to.equal(await same({}));
    });
  }

  for (const [title, change] of Object.entries(CHANGES)) {
    it(`sends the same as adopt after a change: ${title}`, async () => {
      await same({ after: change });
    });
  }

  for (const [title, request] of Object.entries(REQUESTS)) {
    it(`sends the same as adopt to any client: ${title}`, async () => {
      await same({ request });
      await same({ request, after: (res) => res.getHeaders()['x-kept'] });
      await same({ request, head: { ...HEAD, lines: undefined } });
    });
  }

  it('sends no body to HEAD, nor with a status that has none', async () => {
    for (const handling of [{ request: REQUESTS.HEAD }, { status: 204 }, { status: 304 }])
      expect(await same(handling)).to.match(/X-Kept: yes\r\n(?:\S+: .*\r\n)*\r\n$/);
  });

  it('takes over a kept head after another one with nothing of its own', async () => {
    const other = headOf(['Date', DATE, 'x-kept', 'other', 'X-Other', 'yes']);
    const bytes = await same({ own: [], after: (res) => res.adoptKept(other, ['Via', 'a']) });
    expect(lines(bytes, 'x-kept')).to.deep.equal(['X-Kept: yes']);
    expect(lines(bytes, 'x-other')).to.deep.equal(['X-Other: yes']);
  });

  it('sends the same as adopt with any status', async () => {
    for (const status of [200, 203, 204, 205, 207, 301, 304, 404, 500, 599]) await same({ status });
  });

  it('sends the same as adopt whatever was done before and after', async function () {
    this.timeout(60_000);
    await fc.assert(
      fc.asyncProperty(
        fc.array(act, { maxLength: 2 }),
        fc.array(act, { maxLength: 4 }),
        fc.record({
          request: fc.constantFrom(...Object.values(REQUESTS)),
          status: fc.constantFrom(200, 203, 204, 304, 404),
          own: fc.constantFrom([], OWN, ['Vary', 'Origin', 'X-Kept', 'own']),
          head: fc.constantFrom(HEAD, { ...HEAD, lines: undefined }),
        }),
        async (before, after, rest) => {
          await same({
            ...rest,
            before: (res) => perform(res, before),
            after: (res) => perform(res, after),
          });
        },
      ),
      { numRuns: 200 },
    );
  });

  it('leaves what was kept as it was', async () => {
    const own = Object.freeze([...OWN]);
    for (const change of Object.values(CHANGES)) {
      await sent('adoptKept', { own, after: change });
      expect(HEAD.fields).to.deep.equal(KEPT);
    }
    await sent('adoptKept', { own, before: (res) => res.setHeader('X-Kept', 'no').statusCode });
    expect(HEAD.fields).to.deep.equal(KEPT);
  });

  it('a field that a plugin had set wins over a kept one and over an own one', async () => {
    const before = (res: GatewayResponse) =>
      void res.setHeader('x-kept', 'plugin').setHeader('Age', '0').setHeader('Vary', 'Origin');
    const bytes = await same({ before });
    expect(lines(bytes, 'x-kept')).to.deep.equal(['x-kept: plugin']);
    expect(lines(bytes, 'age')).to.deep.equal(['Age: 0']);
    expect(lines(bytes, 'vary')).to.deep.equal(['Vary: Origin', 'Vary: Accept']);
    expect(lines(bytes, 'set-cookie')).to.deep.equal(['Set-Cookie: a=1', 'Set-Cookie: b=\xe9']);
    expect(lines(bytes, 'x-cache-status')).to.deep.equal(['X-Cache-Status: HIT']);
  });

  it('a field that was set and removed before does not stand in the way', async () => {
    const before = (res: GatewayResponse) => res.setHeader('X-Kept', 'plugin').removeHeader('X-Kept');
    expect(await same({ before })).to.equal(await same({}));
  });

  it('a body of another length than the kept one is sent with its own', async () => {
    const unmeasured = headOf(KEPT.slice(0, -2));
    for (const body of ['', 'x', BODY, 'longer than what was kept']) {
      const remeasure = (res: GatewayResponse) => void res.setHeader('Content-Length', body.length);
      for (const handling of [
        { body, head: unmeasured },
        { body, after: remeasure },
      ]) {
        const { bytes } = await sent('adoptKept', handling);
        expect(lines(bytes, 'content-length')).to.deep.equal([`Content-Length: ${body.length}`]);
        expect(bytes.slice(bytes.indexOf('\r\n\r\n') + 4)).to.equal(body);
        if (body !== BODY) await same(handling);
      }
      // Whoever puts another body in its place is to say so; kept or not makes no difference to who does not.
      await same({ body });
    }
  });

  it('fields without Content-Length get one, as with adopt', async () => {
    const head = headOf(KEPT.slice(0, -2));
    const kept = await sent('adoptKept', { head });
    const adopted = await sent('adopt', { head });
    // The order of fields of different names means nothing (RFC 9110 section 5.3).
    expect(sorted(kept.bytes)).to.deep.equal(sorted(adopted.bytes));
    expect(kept.seen).to.deep.equal(adopted.seen);
  });

  it('works without lines', async () => {
    const head = { ...HEAD, lines: undefined };
    expect(await same({ head })).to.equal(await same({}));
    for (const fields of [
      [],
      ['X-Kept', 'yes'],
      ['Date', DATE, 'Trailer', 'X-Sum'],
      ['Connection', 'close'],
    ]) {
      const unkept = headOf(fields);
      expect(unkept.lines).to.equal(undefined);
      for (const status of [200, 304]) await same({ head: unkept, status });
    }
  });

  it('keeps nothing of one response for the next one', async () => {
    let turn = 0;
    const after = (res: GatewayResponse) => {
      if (turn++ % 2 === 0) res.setHeader('X-Kept', 'no').appendHeader('Vary', 'Origin');
    };
    const bytes = await same({ request: GET + GET + GET + GET, after });
    expect(lines(bytes, 'x-kept')).to.deep.equal(['X-Kept: no', 'X-Kept: yes', 'X-Kept: no', 'X-Kept: yes']);
  });
});

/** The lines of one field, of all responses. */
function lines(bytes: string, field: string): string[] {
  return bytes.split('\r\n').filter((line) => line.toLowerCase().startsWith(`${field}:`));
}

function sorted(response: string): string[] {
  const end = response.indexOf('\r\n\r\n');
  return [...response.slice(0, end).split('\r\n').sort(), response.slice(end)];
}
