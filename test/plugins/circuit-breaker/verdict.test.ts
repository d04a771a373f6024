import { expect } from 'chai';
import { type ErrorCode, GatewayError } from '../../../core/index.js';
import { isBreakOff, isEndless, isUpstreamFault } from '../../../plugins/circuit-breaker/verdict.js';

const withCode = (code: string) => Object.assign(new Error(code), { code });
const failure = (code: ErrorCode, cause?: string) =>
  new GatewayError(code, cause === undefined ? {} : { cause: withCode(cause) });

describe('isUpstreamFault', () => {
  const rows: readonly (readonly [title: string, failure: unknown, expected: boolean])[] = [
    ['nobody listens', failure('SERVICE_UNAVAILABLE', 'ECONNREFUSED'), true],
    ['no such host', failure('SERVICE_UNAVAILABLE', 'ENOTFOUND'), true],
    ['a broken connection', failure('BAD_GATEWAY', 'UND_ERR_SOCKET'), true],
    ['a response that is no HTTP', failure('BAD_GATEWAY', 'HPE_INVALID_CONSTANT'), true],
    ['an upstream that says nothing of why it broke off', failure('BAD_GATEWAY'), true],
    ['no head in time', failure('GATEWAY_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT'), true],
    ['the total time', failure('GATEWAY_TIMEOUT'), true],
    ['no target, or no room', failure('SERVICE_UNAVAILABLE'), false],
    ['a request that undici refuses', failure('BAD_GATEWAY', 'UND_ERR_INVALID_ARG'), false],
    ['a pool that the gateway has closed', failure('BAD_GATEWAY', 'UND_ERR_DESTROYED'), false],
    ['a client that left', failure('CLIENT_CLOSED_REQUEST'), false],
    ['a client that sends too much', failure('PAYLOAD_TOO_LARGE'), false],
    ['a client that sends too slowly', failure('REQUEST_TIMEOUT'), false],
    ['a rate limit', failure('RATE_LIMITED'), false],
    ['a gateway that stops', failure('GATEWAY_DRAINING'), false],
    ['a fault of the gateway', failure('INTERNAL_ERROR'), false],
    ['a fault of a plugin', new TypeError('undefined is not a function'), false],
    ['something that is no error', 'a text', false],
  ];
  for (const [title, thrown, expected] of rows) {
    it(`${title}: ${expected ? 'yes' : 'no'}`, () => {
      expect(isUpstreamFault(thrown)).to.equal(expected);
    });
  }
});

describe('isBreakOff', () => {
  const rows: readonly (readonly [title: string, error: Error | undefined, expected: boolean])[] = [
    ['a reset', withCode('ECONNRESET'), true],
    ['an early end', withCode('UND_ERR_SOCKET'), true],
    ['silence', withCode('UND_ERR_BODY_TIMEOUT'), true],
    ['a malformed chunk', withCode('HPE_INVALID_CHUNK_SIZE'), true],
    ['the total time', failure('GATEWAY_TIMEOUT'), true],
    ['a client that left', failure('CLIENT_CLOSED_REQUEST'), false],
    ['a body that a plugin replaced', new Error('A plugin replaced the response body'), false],
    ['a stream that was torn down on this side', withCode('ERR_STREAM_PREMATURE_CLOSE'), false],
    ['a compressor that failed', withCode('Z_DATA_ERROR'), false],
    ['a request that was taken back', withCode('UND_ERR_ABORTED'), false],
    ['a body under way', undefined, false],
  ];
  for (const [title, error, expected] of rows) {
    it(`${title}: ${expected ? 'yes' : 'no'}`, () => {
      expect(isBreakOff(error)).to.equal(expected);
    });
  }
});

describe('isEndless', () => {
  it('goes by the media type, whatever its case and parameters', () => {
    const typed = (value: string) => isEndless(['Content-Length', '1', 'CONTENT-Type', value]);
    for (const type of [
      'text/event-stream',
      'Text/Event-Stream; charset=utf-8',
      'application/x-ndjson',
      'application/grpc+proto',
    ])
      expect(typed(type), type).to.equal(true);
    for (const type of ['text/html', 'application/json', 'x-text/event-stream'])
      expect(typed(type), type).to.equal(false);
    expect(isEndless(['X-Type', 'text/event-stream'])).to.equal(false);
  });
});
