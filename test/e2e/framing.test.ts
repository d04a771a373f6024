import { expect } from 'chai';
import { expectError } from '../support/error-format.js';
import { type RunningGateway, service, startGateway } from '../support/gateway.js';
import { RawConnection, type RawResult } from '../support/raw-client.js';
import { until } from '../support/until.js';
import { fieldValues, type RecordedRequest, startUpstream, type Upstream } from '../support/upstream.js';
import { ATTACKS, type Demand, type Forwarded } from './framing-rows.js';

/** Sent behind an attack on the same connection: whatever was smuggled would be served before it. */
const MARKER = 'GET /api/v1/a/marker HTTP/1.1\r\nHost: gateway.test\r\nConnection: close\r\n\r\n';

describe('framing attacks', () => {
  let upstream: Upstream;
  let gateway: RunningGateway;

  before(async () => {
    upstream = await startUpstream();
    gateway = await startGateway({ services: { a: service(upstream.url) } });
  });
  after(async () => {
    await gateway.stop();
    await upstream.close();
  });
  beforeEach(() => {
    upstream.requests.length = 0;
  });

  for (const [group, rows] of Object.entries(ATTACKS)) {
    describe(group, () => {
      for (const [name, bytes, demand] of rows) {
        it(name, async () => {
          const outcome = await attack(gateway.port, bytes, demand);
          // A request that was broken off is recorded as soon as its head is there: it may be on its way.
          await until('the upstream to be at rest', () => upstream.activeRequests() === 0);
          const seen = upstream.requests.filter((request) => !request.url.endsWith('/marker'));
          expect(seen.map((request) => request.url).join()).not.to.contain('smuggled');
          judge(demand, outcome, seen);
        });
      }
    });
  }

  it('has at least 45 rows', () => {
    expect(Object.values(ATTACKS).flat().length).to.be.at.least(45);
  });
});

interface Outcome {
  readonly result: RawResult;
  /** The connection was open behind the attack, and the marker was sent on it. */
  readonly marked: boolean;
}

async function attack(port: number, bytes: string, demand: Demand): Promise<Outcome> {
  const methods = demand.forwarded?.map((request) => request.method ?? 'GET') ?? [];
  const connection = await RawConnection.open(port, methods);
  try {
    connection.send(bytes);
    await connection.responses(demand.forwarded?.length ?? 1);
    const mustClose =
      demand.forwarded === undefined && demand.mayStayOpen !== true && demand.answered !== true;
    if (mustClose) return { result: await connection.closure(), marked: false };
    // When the gateway closes at this moment, the marker meets a closed connection; either is fine.
    const marked = !connection.closed;
    if (marked) connection.send(MARKER);
    return { result: await connection.closure(), marked };
  } finally {
    connection.destroy();
  }
}

function judge(demand: Demand, { result, marked }: Outcome, seen: readonly RecordedRequest[]): void {
  const first = result.responses[0];
  if (demand.brokenOff === true && seen.some((request) => !request.complete)) {
    expect(seen, 'requests at the upstream').to.have.length(1);
    expect(seen[0]?.aborted, 'broken off').to.equal(true);
    if (first !== undefined) expectError(first);
    expect(result.responses.length).to.be.at.most(1);
    return;
  }
  if (seen.length === 0) {
    if (demand.answered === true && first !== undefined && first.status < 400) return;
    const mayRefuse = demand.refused !== undefined || demand.brokenOff === true || demand.answered === true;
    if (!mayRefuse)
      throw new Error(`Not forwarded: ${JSON.stringify(result.bytes.toString('latin1').slice(0, 300))}`);
    expectError(first);
    if (demand.refused !== undefined && demand.refused.length > 0)
      expect(demand.refused).to.include(first?.status);
    const afterwards = result.responses.length - 1;
    if (marked) expect(afterwards, 'responses behind the refusal').to.be.at.most(1);
    else expect(afterwards, 'responses behind the refusal').to.equal(0);
    return;
  }
  const wanted = demand.forwarded;
  if (wanted === undefined) {
    throw new Error(
      `Forwarded, though it is to be refused: ${seen.map((r) => `${r.method} ${r.url}`).join(', ')}`,
    );
  }
  expect(seen, 'requests at the upstream').to.have.length(wanted.length);
  expect(result.responses.length - wanted.length, 'responses too many').to.be.within(0, marked ? 1 : 0);
  for (const [i, request] of wanted.entries()) {
    expect(result.responses[i]?.status).to.equal(200);
    expectForwarded(request, seen[i]);
  }
}

function expectForwarded(wanted: Forwarded, seen: RecordedRequest | undefined): void {
  if (seen === undefined) throw new Error('The upstream saw nothing');
  expect(seen.method).to.equal(wanted.method ?? 'GET');
  expect(seen.url).to.equal(wanted.url ?? '/api/v1/x');
  expect(seen.httpVersion).to.equal('1.1');
  expect(seen.complete).to.equal(true);
  expect(wanted.framing).to.include(seen.framing);
  expect(seen.body.toString('latin1')).to.equal(wanted.body ?? '');
  const lengths = fieldValues(seen.rawHeaders, 'content-length');
  const codings = fieldValues(seen.rawHeaders, 'transfer-encoding');
  expect(lengths.length + codings.length, 'framing fields').to.equal(seen.framing === 'none' ? 0 : 1);
  if (lengths[0] !== undefined) expect(Number(lengths[0])).to.equal(seen.bodyLength);
  if (codings[0] !== undefined) expect(codings[0]).to.equal('chunked');
  expect(fieldValues(seen.rawHeaders, 'host')).to.have.length(1);
  for (const [name, values] of Object.entries(wanted.fields ?? {})) {
    expect(fieldValues(seen.rawHeaders, name), name).to.deep.equal(values);
  }
}
