// biome-ignore-all format: a row a line, so that the whole reads as a table
/** What a row of the table demands. Every way that is listed is acceptable, nothing else is. */
export interface Demand {
  /** 4xx or 5xx in the error format; the upstream saw nothing. The value lists the statuses, empty for any. */
  readonly refused?: readonly number[];
  /** A refusal may leave the connection open, since the end of the request is beyond doubt. */
  readonly mayStayOpen?: boolean;
  /** The upstream saw exactly these requests. */
  readonly forwarded?: readonly Forwarded[];
  /**
   * The fault is in the body, behind a head that may have been forwarded: at most one request reached the upstream,
   * and it was broken off.
   */
  readonly brokenOff?: boolean;
  /** The gateway gave any well-formed answer of its own; the upstream saw nothing. */
  readonly answered?: boolean;
}

/** A request as the upstream is to see it. */
export interface Forwarded {
  readonly method?: string;
  readonly url?: string;
  readonly framing: readonly ('none' | 'length' | 'chunked')[];
  readonly body?: string;
  /** All values of these fields; an empty list for a field that must not be there. */
  readonly fields?: Readonly<Record<string, readonly string[]>>;
}

/** One attack: its name, the bytes and what may come of it. */
export type Row = readonly [name: string, bytes: string, demand: Demand];

const HOST = 'Host: gateway.test';
/** What an attacker wants the upstream to take for a request. No upstream may ever see this path. */
const SMUGGLED = `GET /api/v1/a/smuggled HTTP/1.1\r\n${HOST}\r\n\r\n`;
const HELLO = '5\r\nhello\r\n0\r\n\r\n';

const head = (requestLine: string, ...fields: string[]) => [requestLine, ...fields, '', ''].join('\r\n');
const get = (...fields: string[]) => head('GET /api/v1/a/x HTTP/1.1', HOST, ...fields);
const post = (fields: string[], body: string) => head('POST /api/v1/a/x HTTP/1.1', HOST, ...fields) + body;
const chunked = (body: string, ...fields: string[]) => post(['Transfer-Encoding: chunked', ...fields], body);
const coding = (value: string) => post([`Transfer-Encoding:${value}`], HELLO + SMUGGLED);
const length = (value: string) => post([`Content-Length:${value}`], `hello${SMUGGLED}`);

const refused: Demand = { refused: [] };
const refusedAs = (...statuses: number[]): Demand => ({ refused: statuses, mayStayOpen: true });
const plain: Forwarded = { framing: ['none'] };
const passed: Demand = { forwarded: [plain] };
const hello: Forwarded = { method: 'POST', framing: ['length'], body: 'hello' };
const helloChunked: Forwarded = { method: 'POST', framing: ['chunked'], body: 'hello' };
const second: Forwarded = { url: '/api/v1/second', framing: ['none'] };
const SECOND = head('GET /api/v1/a/second HTTP/1.1', HOST);

const CONTENT_LENGTH: readonly Row[] = [
  ['Content-Length before Transfer-Encoding', post(['Content-Length: 6', 'Transfer-Encoding: chunked'], `0\r\n\r\n${SMUGGLED}`), refused],
  ['Transfer-Encoding before Content-Length', post(['Transfer-Encoding: chunked', 'Content-Length: 6'], `0\r\n\r\n${SMUGGLED}`), refused],
  ['two different Content-Lengths', post(['Content-Length: 5', 'Content-Length: 50'], `hello${SMUGGLED}`), refused],
  ['two equal Content-Lengths', post(['Content-Length: 5', 'Content-Length: 5'], 'hello'), refused],
  ['Content-Length as a list of equals', length(' 5, 5'), refused],
  ['Content-Length as a list', length(' 5, 50'), refused],
  ['Content-Length with a plus sign', length(' +5'), refused],
  ['negative Content-Length', length(' -5'), refused],
  ['hexadecimal Content-Length', length(' 0x5'), refused],
  ['Content-Length with a fraction', length(' 5.0'), refused],
  ['Content-Length with an underscore', length(' 5_0'), refused],
  ['Content-Length with a space inside', length(' 5 0'), refused],
  ['empty Content-Length', length(''), refused],
  ['Content-Length of letters', length(' five'), refused],
  ['Content-Length beyond 64 bits', length(' 18446744073709551621'), refused],
  ['Content-Length of thirty digits', length(' 100000000000000000000000000005'), refused],
  ['Content-Length folded', post(['Content-Length: 5', ' 0'], `hello${SMUGGLED}`), refused],
  ['Content-Length with space before the colon', post(['Content-Length : 5'], 'hello'), refused],
  ['Content-Length with leading zeros', post(['Content-Length: 005'], 'hello'), { refused: [], forwarded: [hello] }],
  ['Content-Length with space around it', post(['Content-Length: \t 5 \t'], 'hello'), { refused: [], forwarded: [hello] }],
  ['a request in the body of a GET', head('GET /api/v1/a/x HTTP/1.1', HOST, `Content-Length: ${SMUGGLED.length}`) + SMUGGLED, { forwarded: [{ framing: ['length'], body: SMUGGLED }] }],
  ['a Content-Length that Connection names', post(['Connection: keep-alive, content-length', `Content-Length: ${SMUGGLED.length}`], SMUGGLED), { refused: [], forwarded: [{ method: 'POST', framing: ['length', 'chunked'], body: SMUGGLED }] }],
];

const TRANSFER_ENCODING: readonly Row[] = [
  ['chunked twice in one field', coding(' chunked, chunked'), refused],
  ['chunked twice in two fields', post(['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], HELLO), refused],
  ['chunked, identity', coding(' chunked, identity'), refused],
  ['identity, chunked', coding(' identity, chunked'), refused],
  ['identity in a second field', post(['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'], HELLO), refused],
  ['identity alone', coding(' identity'), refused],
  ['xchunked', coding(' xchunked'), refused],
  ['chunkedx', coding(' chunkedx'), refused],
  ['x chunked', coding(' x chunked'), refused],
  ['quoted chunked', coding(' "chunked"'), refused],
  ['chunked with a parameter', coding(' chunked;q=1'), refused],
  ['chunked after an empty list element', coding(' ,chunked'), refused],
  ['chunked before an empty list element', coding(' chunked,'), refused],
  ['chunked after a vertical tab', coding(' \x0bchunked'), refused],
  ['chunked after a no-break space', coding(' \xa0chunked'), refused],
  ['an empty Transfer-Encoding', coding(''), refused],
  ['gzip, chunked', coding(' gzip, chunked'), refused],
  ['gzip alone', coding(' gzip'), refused],
  ['Transfer-Encoding in HTTP/1.0', head('POST /api/v1/a/x HTTP/1.0', HOST, 'Transfer-Encoding: chunked') + HELLO + SMUGGLED, refused],
  ['space before the colon', post(['Transfer-Encoding : chunked'], HELLO), refused],
  ['tab before the colon', post(['Transfer-Encoding\t: chunked'], HELLO), refused],
  ['folded Transfer-Encoding', post(['Transfer-Encoding:', ' chunked'], HELLO), refused],
  ['chunked folded to identity', post(['Transfer-Encoding: chunked', ' , identity'], HELLO), refused],
  ['a leading space in the name', post([' Transfer-Encoding: chunked'], HELLO), refused],
  ['an underscore in the name', get('Transfer_Encoding: chunked'), { refused: [], forwarded: [plain] }],
  ['a tab before chunked', coding('\tchunked').replace(SMUGGLED, ''), { refused: [], forwarded: [helloChunked] }],
  ['spaces around chunked', coding('   chunked  ').replace(SMUGGLED, ''), { refused: [], forwarded: [helloChunked] }],
  ['CHUNKED', coding(' CHUNKED').replace(SMUGGLED, ''), { refused: [], forwarded: [helloChunked] }],
  ['a Transfer-Encoding that Connection names', post(['Connection: transfer-encoding', 'Transfer-Encoding: chunked'], HELLO), { refused: [], forwarded: [{ ...helloChunked, framing: ['chunked', 'length'] }] }],
  ['Transfer-Encoding behind 2,100 other fields', post([...Array<string>(2100).fill('a:'), 'Transfer-Encoding: chunked'], HELLO + SMUGGLED).replace(SMUGGLED, ''), { refused: [], mayStayOpen: true, forwarded: [helloChunked] }],
  ['Content-Length behind 2,100 other fields', post([...Array<string>(2100).fill('a:'), `Content-Length: ${SMUGGLED.length}`], SMUGGLED), { refused: [], mayStayOpen: true, forwarded: [{ method: 'POST', framing: ['length'], body: SMUGGLED }] }],
];

const CHUNKS: readonly Row[] = [
  ['chunk size with 0x', chunked(`0x5\r\nhello\r\n0\r\n\r\n${SMUGGLED}`), { brokenOff: true }],
  ['negative chunk size', chunked(`-5\r\nhello\r\n0\r\n\r\n${SMUGGLED}`), { brokenOff: true }],
  ['chunk size with a plus sign', chunked(`+5\r\nhello\r\n0\r\n\r\n${SMUGGLED}`), { brokenOff: true }],
  ['chunk size after a space', chunked(` 5\r\nhello\r\n0\r\n\r\n${SMUGGLED}`), { brokenOff: true }],
  ['chunk size beyond 64 bits', chunked(`10000000000000005\r\nhello\r\n0\r\n\r\n${SMUGGLED}`), { brokenOff: true }],
  ['empty chunk size', chunked(`\r\nhello\r\n0\r\n\r\n${SMUGGLED}`), { brokenOff: true }],
  ['chunk size that is no number', chunked(`g\r\nhello\r\n0\r\n\r\n${SMUGGLED}`), { brokenOff: true }],
  ['no CRLF behind the data of a chunk', chunked(`5\r\nhello0\r\n\r\n${SMUGGLED}`), { brokenOff: true }],
  ['a chunk longer than its size', chunked(`5\r\nhelloworld\r\n0\r\n\r\n${SMUGGLED}`), { brokenOff: true }],
  ['bare LF behind the chunk size', chunked(`5\nhello\r\n0\r\n\r\n${SMUGGLED}`), { brokenOff: true }],
  ['bare LF behind the data of a chunk', chunked(`5\r\nhello\n0\r\n\r\n${SMUGGLED}`), { brokenOff: true }],
  ['bare CR behind the chunk size', chunked(`5\rXhello\r\n0\r\n\r\n${SMUGGLED}`), { brokenOff: true }],
  ['bare LF in a chunk extension', chunked(`5;a\nhello\r\n0\r\n\r\n${SMUGGLED}`), { brokenOff: true }],
  ['bare LF behind the last chunk', chunked(`5\r\nhello\r\n0\n\n${SMUGGLED}`), { brokenOff: true }],
  ['an endless chunk extension', chunked(`5;${'x'.repeat(40_000)}\r\nhello\r\n0\r\n\r\n`), { brokenOff: true }],
  ['an endless trailer section', chunked(`5\r\nhello\r\n0\r\n${'a: b\r\n'.repeat(10_000)}\r\n`), { brokenOff: true }],
  ['a chunk extension', chunked('5;name=value\r\nhello\r\n0\r\n\r\n'), { forwarded: [helloChunked] }],
  ['chunk sizes with leading zeros', chunked('0005\r\nhello\r\n000\r\n\r\n'), { forwarded: [helloChunked] }],
  ['a chunked body without chunks', chunked('0\r\n\r\n'), { forwarded: [{ method: 'POST', framing: ['chunked', 'length'], body: '' }] }],
  ['framing fields in the trailers', chunked('5\r\nhello\r\n0\r\nContent-Length: 50\r\nTransfer-Encoding: chunked\r\nHost: evil.test\r\n\r\n'), { refused: [], brokenOff: true, forwarded: [{ ...helloChunked, fields: { 'content-length': [] } }] }],
  ['a second request behind the last chunk', chunked(HELLO) + SECOND, { forwarded: [helloChunked, second] }],
  ['a second request behind a Content-Length', post(['Content-Length: 5'], 'hello') + SECOND, { forwarded: [hello, second] }],
  ['two pipelined requests', get() + SECOND, { forwarded: [plain, second] }],
  ['chunked body of a GET', head('GET /api/v1/a/x HTTP/1.1', HOST, 'Transfer-Encoding: chunked') + HELLO, { forwarded: [{ framing: ['chunked'], body: 'hello' }] }],
  ['chunked body of a DELETE', head('DELETE /api/v1/a/x HTTP/1.1', HOST, 'Transfer-Encoding: chunked') + HELLO, { forwarded: [{ method: 'DELETE', framing: ['chunked'], body: 'hello' }] }],
  ['chunked body of an OPTIONS', head('OPTIONS /api/v1/a/x HTTP/1.1', HOST, 'Transfer-Encoding: chunked') + HELLO, { forwarded: [{ method: 'OPTIONS', framing: ['chunked'], body: 'hello' }] }],
  ['body of a DELETE by length', `${head('DELETE /api/v1/a/x HTTP/1.1', HOST, 'Content-Length: 5')}hello`, { forwarded: [{ method: 'DELETE', framing: ['length'], body: 'hello' }] }],
  ['body of a HEAD', `${head('HEAD /api/v1/a/x HTTP/1.1', HOST, 'Content-Length: 5')}hello`, { forwarded: [{ method: 'HEAD', framing: ['length'], body: 'hello' }] }],
  ['empty body of a POST', post(['Content-Length: 0'], ''), { forwarded: [{ method: 'POST', framing: ['length'], body: '' }] }],
];

const FIELDS: readonly Row[] = [
  ['a folded field', get('X-Fold: a', ' b'), { refused: [], forwarded: [{ ...plain, fields: { 'x-fold': ['a b'] } }] }],
  ['a field folded with a tab', get('X-Fold: a', '\tb'), { refused: [], forwarded: [{ ...plain, fields: { 'x-fold': ['a b'] } }] }],
  ['a space before the first field', head('GET /api/v1/a/x HTTP/1.1', ' X: 1', HOST), refused],
  ['bare LF everywhere', get('X: 1').replaceAll('\r\n', '\n'), refused],
  ['bare LF behind the request line', get().replace('\r\n', '\n'), refused],
  ['bare LF between fields', get('X: 1\nY: 2'), refused],
  ['bare LF at the end of the head', `${get('X: 1').slice(0, -4)}\n\n`, refused],
  ['LF CR in place of CR LF', get('X: 1\n\rY: 2'), refused],
  ['bare CR in a value', get('X: 1\rY: 2'), refused],
  ['bare CR that hides a field', get('X: 1\rTransfer-Encoding: chunked'), refused],
  ['NUL in a value', get('X: a\0b'), refused],
  ['NUL in a name', get('X\0Y: 1'), refused],
  ['a space in a name', get('X Y: 1'), refused],
  ['a control character in a name', get('X\x01: 1'), refused],
  ['a byte beyond ASCII in a name', get('X\xe9: 1'), refused],
  ['brackets in a name', get('X[0]: 1'), refused],
  ['an empty name', get(': 1'), refused],
  ['a space before the colon', get('X : 1'), refused],
  ['a field without a colon', get('X'), refused],
  ['a colon in a value', get('X:Y: 1'), { forwarded: [{ ...plain, fields: { x: ['Y: 1'] } }] }],
  ['fields of 20 KB', get(`X: ${'a'.repeat(20_000)}`), refusedAs(431)],
  ['3,000 fields of 20 KB', get(...Array<string>(3000).fill('a: 1')), refusedAs(431)],
  ['an unknown expectation', get('Expect: something-else'), refusedAs(417)],
  ['an unknown expectation with a body', post(['Expect: 200-ok', 'Content-Length: 5'], 'hello'), refusedAs(417)],
  ['Upgrade to h2c', get('Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA'), { refused: [], forwarded: [{ ...plain, fields: { upgrade: [], 'http2-settings': [] } }] }],
  [
    'Upgrade to h2c with a body',
    post(['Connection: Upgrade', 'Upgrade: h2c', `Content-Length: ${SMUGGLED.length}`], SMUGGLED),
    {
      refused: [],
      forwarded: [{ method: 'POST', framing: ['length'], body: SMUGGLED, fields: { upgrade: [] } }],
    },
  ],
  ['a field that Connection names', get('Connection: x-custom', 'X-Custom: 1', 'X-Other: 2'), { forwarded: [{ ...plain, fields: { 'x-custom': [], 'x-other': ['2'] } }] }],
  ['fields that two Connections name', get('Connection: x-one', 'X-One: 1', 'X-Two: 2', 'Connection: keep-alive , X-TWO'), { forwarded: [{ ...plain, fields: { 'x-one': [], 'x-two': [] } }] }],
  ['hop-by-hop fields', get('Keep-Alive: timeout=5', 'Proxy-Connection: keep-alive', 'TE: gzip'), { forwarded: [{ ...plain, fields: { 'keep-alive': [], 'proxy-connection': [], te: [] } }] }],
];

const TARGETS: readonly Row[] = [
  ['no Host', head('GET /api/v1/a/x HTTP/1.1', 'X: 1'), refusedAs(400)],
  ['two Hosts', get('Host: evil.test'), refusedAs(400)],
  ['two equal Hosts', get(HOST), refusedAs(400)],
  ...['', 'a/b', 'a@b', 'a b', 'a,b', 'a?b', 'a#b', 'a\\b', 'a:b', 'a:1:2', 'a:99999', '[::1', 'a%00b', '<a>'].map((value): Row => [`Host '${value}'`, head('GET /api/v1/a/x HTTP/1.1', `Host: ${value}`), refusedAs(400)]),
  ['Host with a port', head('GET /api/v1/a/x HTTP/1.1', 'Host: gateway.test:8080'), { forwarded: [{ ...plain, fields: { 'x-forwarded-host': ['gateway.test:8080'] } }] }],
  ['Host as an IPv6 address', head('GET /api/v1/a/x HTTP/1.1', 'Host: [::1]:8080'), { forwarded: [{ ...plain, fields: { 'x-forwarded-host': ['[::1]:8080'] } }] }],
  ['HTTP/1.0 without Host', head('GET /api/v1/a/x HTTP/1.0'), { refused: [400], mayStayOpen: true, forwarded: [plain] }],
  ['absolute form', head('GET http://gateway.test/api/v1/a/x HTTP/1.1', HOST), { forwarded: [plain] }],
  [
    'absolute form with another authority than Host',
    head('GET http://other.test/api/v1/a/x HTTP/1.1', HOST),
    {
      refused: [400],
      mayStayOpen: true,
      forwarded: [{ ...plain, fields: { 'x-forwarded-host': ['other.test'] } }],
    },
  ],
  ['absolute form with user information', head('GET http://user:pass@gateway.test/api/v1/a/x HTTP/1.1', HOST), refusedAs(400)],
  ['absolute form of another scheme', head('GET ftp://gateway.test/api/v1/a/x HTTP/1.1', HOST), refusedAs(400)],
  ['absolute form without an authority', head('GET http:///api/v1/a/x HTTP/1.1', HOST), refusedAs(400)],
  ['authority form of GET', head('GET gateway.test:80 HTTP/1.1', HOST), refusedAs(400)],
  ['CONNECT', head('CONNECT gateway.test:80 HTTP/1.1', 'Host: gateway.test:80') + SMUGGLED, { refused: [400, 404, 405, 501] }],
  ['CONNECT to a path', head('CONNECT /api/v1/a/x HTTP/1.1', HOST), { refused: [400, 404, 405, 501] }],
  ['asterisk form of OPTIONS', head('OPTIONS * HTTP/1.1', HOST), { answered: true }],
  ['asterisk form of GET', head('GET * HTTP/1.1', HOST), refusedAs(400)],
  ['a target without a slash', head('GET api/v1/a/x HTTP/1.1', HOST), refusedAs(400)],
  ['no target', head('GET HTTP/1.1', HOST), refused],
  ['two spaces before the target', head('GET  /api/v1/a/x HTTP/1.1', HOST), { refused: [], forwarded: [plain] }],
  ['a space in the target', head('GET /api/v1/a/x y HTTP/1.1', HOST), refused],
  ['a tab before the version', head('GET /api/v1/a/x\tHTTP/1.1', HOST), refused],
  ['an empty line before the request', `\r\n${get()}`, { refused: [], forwarded: [plain] }],
  ['HTTP/0.9', 'GET /api/v1/a/x\r\n\r\n', refused],
  ['HTTP/0.9 by name', head('GET /api/v1/a/x HTTP/0.9', HOST), refused],
  ['HTTP/1.2', head('GET /api/v1/a/x HTTP/1.2', HOST), { refused: [400, 505], forwarded: [plain] }],
  ['HTTP/2.0', head('GET /api/v1/a/x HTTP/2.0', HOST), { refused: [400, 505] }],
  ['HTTP/2 with prior knowledge', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', { refused: [400, 505] }],
  ['HTTP/3.0', head('GET /api/v1/a/x HTTP/3.0', HOST), { refused: [400, 505] }],
  ['HTTP/1.10', head('GET /api/v1/a/x HTTP/1.10', HOST), refused],
  ['lower-case http/1.1', head('GET /api/v1/a/x http/1.1', HOST), refused],
  ['lower-case method', head('get /api/v1/a/x HTTP/1.1', HOST), refused],
  ['a method of 5,000 letters', head(`${'A'.repeat(5000)} /api/v1/a/x HTTP/1.1`, HOST), refused],
  ['a method with brackets', head('G[ET /api/v1/a/x HTTP/1.1', HOST), refused],
  ['a target of 9,000 letters', head(`GET /api/v1/a/${'x'.repeat(9000)} HTTP/1.1`, HOST), refusedAs(414)],
  ['a target of 40,000 letters', head(`GET /api/v1/a/${'x'.repeat(40_000)} HTTP/1.1`, HOST), refusedAs(414, 431)],
  ['TLS on a plain port', '\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03', refused],
  ['the plainest request', get(), passed],
];

/** Every attack, by what it plays on. */
export const ATTACKS: Readonly<Record<string, readonly Row[]>> = {
  'Content-Length': CONTENT_LENGTH,
  'Transfer-Encoding': TRANSFER_ENCODING,
  chunks: CHUNKS,
  fields: FIELDS,
  'request line and Host': TARGETS,
};
