import { expect } from 'chai';
import { addressKey, consumerKey, credentialKey } from '../../../plugins/rate-limit-token-bucket/client.js';

describe('the client of a request', () => {
  it('is an IPv4 address as it is', () => {
    expect(addressKey('192.0.2.1')).to.equal('a:192.0.2.1');
    expect(addressKey('::ffff:192.0.2.1')).to.equal('a:192.0.2.1');
    expect(addressKey('::FFFF:c000:201')).to.equal('a:192.0.2.1');
  });

  it('is the /64 of an IPv6 address', () => {
    const same = ['2001:db8:1:2::1', '2001:0DB8:1:2:3:4:5:6', '2001:db8:1:2:ffff:ffff:ffff:ffff'];
    expect(new Set(same.map(addressKey)).size).to.equal(1);
    expect(addressKey('2001:db8:1:3::1')).not.to.equal(addressKey('2001:db8:1:2::1'));
    expect(addressKey('::1')).to.equal('a:0:0:0:0::/64');
    expect(addressKey('fe80::1%eth0')).to.equal(addressKey('fe80::2'));
  });

  it('takes what is no address as it is', () => {
    expect(addressKey('')).to.equal('a:');
    expect(addressKey('un:known')).to.equal('a:un:known');
  });

  it('is never one client under two names, or two under one', () => {
    const consumer = { id: 'shop', authenticatedBy: 'auth' };
    const keys = [
      addressKey('shop'),
      consumerKey(consumer),
      credentialKey({ ...consumer, credentialId: 'a' }),
      credentialKey({ ...consumer, credentialId: 'b' }),
      credentialKey({ id: 'shop","a', authenticatedBy: 'auth', credentialId: '' }),
    ];
    expect(new Set(keys).size).to.equal(keys.length);
    expect(credentialKey(consumer)).to.equal(consumerKey(consumer));
  });
});
