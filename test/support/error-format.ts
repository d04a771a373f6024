import { expect } from 'chai';
import type { RawResponse } from './raw-response.js';

/**
 * Checks that a response is an error in the format of the requirements, and that nothing internal is in it.
 *
 * @returns its code
 */
export function expectError(response: RawResponse | undefined): string {
  if (response === undefined) throw new Error('Expected an error response, and there is none');
  expect(response.status).to.be.within(400, 599);
  expect(response.header('content-type')).to.match(/^application\/json/);
  const body = response.json();
  expect(body).to.include.keys('error', 'code', 'timestamp', 'request_id');
  expect(body.error).to.be.a('string').and.not.equal('');
  expect(body.timestamp).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
  expect(body.request_id).to.be.a('string').and.not.equal('');
  expectNoInternals(response);
  const code = body.code;
  if (typeof code !== 'string') throw new Error('The code of an error is text');
  expect(code).to.match(/^[A-Z][A-Z_]+$/);
  return code;
}

/** Checks that no stack, file, address or system error code stands in a response's body. */
export function expectNoInternals(response: RawResponse): void {
  expect(response.body.toString('utf8')).not.to.match(
    /127\.0\.0\.1|localhost|E(CONN|ADDR|PIPE|HOST|AI_)|\bUND_ERR|\bHPE_|\bERR_|\bat .*[:(]\d|node:|node_modules|\.ts\b|\.js\b/,
  );
}
