import { expect } from 'chai';
import { type RunningGateway, service, startGateway } from '../support/gateway.js';
import { RawConnection, request } from '../support/raw-client.js';
import { startUpstream, type Upstream } from '../support/upstream.js';

describe('Expect: 100-continue', () => {
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

  const head = (target: string, length: number) =>
    `POST ${target} HTTP/1.1\r\nHost: gateway.test\r\nExpect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`;

  it('asks for the body, and gives one final response', async () => {
    const connection = await RawConnection.open(gateway.port);
    connection.send(head('/api/v1/a/x', 5));
    await connection.received('HTTP/1.1 100 Continue\r\n\r\n');
    connection.send('hello');
    const { interim, responses } = await connection.responses(1);
    connection.destroy();
    expect(interim).to.have.length(1);
    expect(responses.map((response) => response.status)).to.deep.equal([200]);
    expect(upstream.requests[0]?.body.toString()).to.equal('hello');
  });

  it('takes a body that did not wait', async () => {
    const connection = await RawConnection.open(gateway.port);
    connection.send(`${head('/api/v1/a/x', 5)}hello`);
    const { responses } = await connection.responses(1);
    connection.destroy();
    expect(responses.map((response) => response.status)).to.deep.equal([200]);
    expect(upstream.requests).to.have.length(1);
  });

  it('does not ask for the body of a request that it refuses', async () => {
    const connection = await RawConnection.open(gateway.port);
    connection.send(head('/api/v1/nobody/x', 5));
    const { interim, responses } = await connection.responses(1);
    connection.destroy();
    expect(interim).to.deep.equal([]);
    expect(responses.map((response) => response.status)).to.deep.equal([404]);
  });

  it('does not ask for a body that is too large', async () => {
    const strict = await startGateway({ services: { a: service(upstream.url) }, limits: { body: 10 } });
    const connection = await RawConnection.open(strict.port);
    try {
      connection.send(head('/api/v1/a/x', 11));
      const { interim, responses } = await connection.responses(1);
      expect(interim).to.deep.equal([]);
      expect(responses.map((response) => response.status)).to.deep.equal([413]);
      expect(upstream.requests).to.deep.equal([]);
    } finally {
      connection.destroy();
      await strict.stop();
    }
  });

  it('is no reason to wait when there is no body', async () => {
    const response = await request(gateway.port, 'GET', '/api/v1/a/x', ['Expect: 100-continue']);
    expect(response.status).to.equal(200);
  });
});
