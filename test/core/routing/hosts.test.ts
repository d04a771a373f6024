import { expect } from 'chai';
import fc from 'fast-check';
import { hostMatches, hostnameOf } from '../../../core/routing/hosts.js';

const HOSTNAMES: readonly [host: string, name: string | undefined][] = [
  ['example.com', 'example.com'],
  ['EXAMPLE.com:8080', 'example.com'],
  ['example.com.', 'example.com'],
  ['example.com.:80', 'example.com'],
  ['example.com:', 'example.com'],
  ['127.0.0.1:1', '127.0.0.1'],
  ['my_host-1', 'my_host-1'],
  ['[::1]', '[::1]'],
  ['[::FFFF:127.0.0.1]:8080', '[::ffff:127.0.0.1]'],
  ['', undefined],
  [':80', undefined],
  ['[]', undefined],
  ['[::1', undefined],
  ['[::1]x', undefined],
  ['[::1]:x', undefined],
  ['[g::1]', undefined],
  ['a b', undefined],
  ['a,b', undefined],
  ['a@b', undefined],
  ['a/b', undefined],
  ['a\\b', undefined],
  ['a?b', undefined],
  ['a:80:80', undefined],
  ['a:65536', undefined],
  ['a:-1', undefined],
  ['a:000001', undefined],
  ['ex\xe4mple', undefined],
  ['a%41', undefined],
];

const MATCHES: readonly [pattern: string, hostname: string, matches: boolean][] = [
  ['example.com', 'example.com', true],
  ['Example.COM', 'example.com', true],
  ['example.com', 'www.example.com', false],
  ['*.example.com', 'www.example.com', true],
  ['*.EXAMPLE.com', 'a.b.example.com', true],
  ['*.example.com', 'example.com', false],
  ['*.example.com', '.example.com', false],
  ['*.example.com', 'notexample.com', false],
  ['*.example.com', 'www.example.com.evil.org', false],
  ['*', 'example.com', false],
];

describe('hostnameOf', () => {
  for (const [host, name] of HOSTNAMES) {
    it(`makes ${JSON.stringify(host)} ${name ?? 'nothing'}`, () => expect(hostnameOf(host)).to.equal(name));
  }

  it('gives what URL gives for names with ports', () => {
    const label = fc.stringMatching(/^[a-z]([a-zA-Z0-9-]{0,8}[a-z0-9])?$/);
    fc.assert(
      fc.property(fc.array(label, { minLength: 1, maxLength: 4 }), fc.nat(65535), (labels, port) => {
        const host = `${labels.join('.')}:${port}`;
        // Punycode is checked by URL, and is none of this function's business.
        fc.pre(!/xn--/i.test(host));
        expect(hostnameOf(host)).to.equal(new URL(`http://${host}`).hostname);
      }),
    );
  });
});

describe('hostMatches', () => {
  for (const [pattern, hostname, matches] of MATCHES) {
    it(`${pattern} ${matches ? 'fits' : 'does not fit'} ${hostname}`, () => {
      expect(hostMatches(pattern, hostname)).to.equal(matches);
    });
  }
});
