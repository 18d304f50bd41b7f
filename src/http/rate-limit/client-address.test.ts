import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { clientAddress, unknownAddress } from './client-address.ts';

const socket = '198.51.100.7';

describe('clientAddress', () => {
  test('without trusted proxies the header is not looked at', () => {
    expect(clientAddress(socket, '203.0.113.9', 0)).toBe(socket);
  });

  test.each([
    ['203.0.113.9', 1, '203.0.113.9'],
    ['6.6.6.6, 203.0.113.9', 1, '203.0.113.9'],
    ['6.6.6.6,203.0.113.9,10.0.0.1', 2, '203.0.113.9'],
    ['203.0.113.9, 10.0.0.1', 2, '203.0.113.9'],
    [' 203.0.113.9 ', 1, '203.0.113.9'],
    ['203.0.113.9:4711', 1, '203.0.113.9'],
    ['[2001:db8::1]:4711', 1, '2001:db8:0:0::/64'],
  ])('%j behind %i proxies is %s', (header, proxies, expected) => {
    expect(clientAddress(socket, header, proxies)).toBe(expected);
  });

  test.each([
    ['fewer entries than proxies', '203.0.113.9', 2],
    ['an empty header', '', 1],
    ['an empty entry', '203.0.113.9,', 1],
    ['a leading comma', ',203.0.113.9', 2],
    ['only commas', ',,,,', 3],
    ['words', 'unknown', 1],
    ['a name of JavaScript', '__proto__', 1],
    ['a line break', '203.0.113.9\nevil', 1],
    ['an address out of range', '203.0.113.999', 1],
    ['a port out of shape', '203.0.113.9:123456', 1],
    ['a very long entry', '1'.repeat(100_000), 1],
    ['a very long header', '1,'.repeat(50_000), 1],
  ])('%s falls back to the socket', (_what, header, proxies) => {
    expect(clientAddress(socket, header, proxies)).toBe(socket);
  });

  test('a client that fills the header does not choose its own address', () => {
    const spoofed = `${'6.6.6.6, '.repeat(5_000)}203.0.113.9`;
    expect(clientAddress(socket, spoofed, 1)).toBe('203.0.113.9');
  });

  test.each([
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:1:2::ffff', '2001:db8:1:2::/64'],
    ['2001:db8::', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['1:2:3:4:5:6:192.0.2.1', '1:2:3:4::/64'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::ffff:c000:201', '192.0.2.1'],
    ['::FFFF:192.0.2.1', '192.0.2.1'],
    ['0:0:0:0:0:ffff:192.0.2.1', '192.0.2.1'],
  ])('IPv6 %s counts as %s', (address, expected) => {
    expect(clientAddress(address, null, 0)).toBe(expected);
  });

  test('a socket without an address has one name', () => {
    expect(clientAddress(undefined, null, 0)).toBe(unknownAddress);
    expect(clientAddress(undefined, 'nonsense', 1)).toBe(unknownAddress);
  });

  test('whatever the header says, the answer is an address or a /64', () => {
    const text = fc.oneof(fc.string(), fc.ipV4(), fc.ipV6(), fc.constant(','));
    const header = fc.array(text).map((parts) => parts.join(','));
    fc.assert(
      fc.property(header, fc.integer({ min: 1, max: 10 }), (value, proxies) => {
        const address = clientAddress(socket, value, proxies);
        expect(isIP(address.replace(/::\/64$/, ':0:0:0:0'))).not.toBe(0);
      }),
      { numRuns: 2_000 },
    );
  });

  test('addresses of one /64 are one client, of two are two', () => {
    const group = fc.integer({ min: 0, max: 0xffff }).map((value) => value.toString(16));
    const groups = fc.array(group, { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(groups, groups, groups, (network, host, otherHost) => {
        fc.pre(network.some((part) => part !== '0'));
        const first = clientAddress([...network, ...host].join(':'), null, 0);
        expect(clientAddress([...network, ...otherHost].join(':'), null, 0)).toBe(first);
        expect(first).toBe(`${network.join(':')}::/64`);
      }),
    );
  });
});
