import { createServer, type IncomingMessage, type RequestListener, ServerResponse } from 'node:http';
import { expect } from 'chai';
import { GatewayResponse } from '../../../core/server/gateway-response.js';
import { everythingSent } from '../../support/everything-sent.js';

const DATE = 'Mon, 23 Nov 2026 11:00:00 GMT';
const FIELDS = ['Content-Type', 'text/plain', 'Date', DATE, 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=\xe9'];
const BODY = 'caf\xe9\x00\xff';

type Answer = (res: ServerResponse, end: () => void) => void;

/** Everything that a server sends to `request`, until it closes the connection. */
async function sent(
  Response: typeof ServerResponse<IncomingMessage>,
  answer: Answer,
  request: string,
): Promise<string> {
  const listener: RequestListener = (req, res) => {
    req.resume();
    answer(res, () => {
      if (res instanceof GatewayResponse) res.endWith(BODY);
      else res.end(BODY, 'latin1');
    });
  };
  const server = createServer({ ServerResponse: Response, keepAliveTimeout: 7_000 }, listener);
  return everythingSent(server, request, DATE);
}

function answerWith(status: number, fields: readonly string[] = FIELDS, reason?: string): Answer {
  return (res, end) => {
    res.statusCode = status;
    if (reason !== undefined) res.statusMessage = reason;
    if (res instanceof GatewayResponse) res.adopt([...fields]);
    else for (let i = 0; i < fields.length; i += 2) res.appendHeader(fields[i] ?? '', fields[i + 1] ?? '');
    end();
  };
}

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const LENGTH = String(BODY.length);

const CASES: Record<string, readonly [Answer, request?: string]> = {
  'a status of its own': [answerWith(207)],
  'an unknown status': [answerWith(599)],
  'a reason of its own': [answerWith(200, FIELDS, 'Fine')],
  'the standard reason': [answerWith(404, FIELDS, 'Not Found')],
  'a declared length': [answerWith(200, [...FIELDS, 'content-length', LENGTH])],
  'no Date': [answerWith(200, ['Content-Type', 'text/plain'])],
  'Connection: close': [answerWith(200, [...FIELDS, 'Connection', 'close'])],
  '204, which has no body': [answerWith(204)],
  '304, which has no body': [answerWith(304)],
  'HEAD, which has no body': [answerWith(200), 'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n'],
  'a client that closes': [answerWith(200), 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'],
  'HTTP/1.0': [answerWith(200), 'GET / HTTP/1.0\r\n\r\n'],
  'HTTP/1.0 that keeps alive': [answerWith(200), 'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n'],
  'requests one behind the other': [answerWith(200), GET + GET + GET],
  'a request with a body': [answerWith(200), 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc'],
  'a head that was sent before': [
    (res, end) => {
      res.writeHead(200, ['Date', DATE, 'Content-Length', LENGTH]);
      end();
    },
  ],
  'a wrapped writeHead': [
    (res, end) => {
      const { writeHead } = res;
      res.writeHead = (status: number) => {
        res.setHeader('X-Wrapped', 'yes');
        return writeHead.call(res, status);
      };
      answerWith(200)(res, end);
    },
  ],
};

describe('GatewayResponse.endWith', () => {
  for (const [title, [answer, request = GET]] of Object.entries(CASES)) {
    it(`sends the very bytes that Node.js sends: ${title}`, async () => {
      const whole = await sent(GatewayResponse, answer, request);
      expect(sorted(whole)).to.deep.equal(sorted(await sent(ServerResponse, answer, request)));
      expect(whole).to.match(/^HTTP\/1\.1 \d{3} /);
    });
  }

  it('leaves the headers readable, and says that they are sent', async () => {
    let told: unknown;
    await sent(
      GatewayResponse,
      (res, end) => {
        answerWith(200)(res, end);
        told = [res.headersSent, res.writableEnded, res.getHeader('content-type')];
      },
      GET,
    );
    expect(told).to.deep.equal([true, true, 'text/plain']);
  });
});

/** Field lines in any order: Node.js writes what it adds first or last, by its version. */
function sorted(responses: string): string[] {
  return responses.split(/(?=HTTP\/1\.1 )/).map((response) => {
    const end = response.indexOf('\r\n\r\n');
    const [status, ...lines] = response.slice(0, end).split('\r\n');
    return [status, ...lines.map((line) => line.toLowerCase()).sort(), response.slice(end)].join('\n');
  });
}
