import { describe, expect, test } from 'vitest';
import { encodingFor } from './accept-encoding.ts';

describe('the coding of an answer', () => {
  test.each([
    [undefined, 'identity'],
    ['', 'identity'],
    ['gzip', 'gzip'],
    ['br', 'br'],
    ['identity', 'identity'],
    ['gzip, deflate', 'gzip'],
    ['gzip, deflate, br, zstd', 'br'],
    ['gzip;q=1.0, br;q=0.9', 'gzip'],
    ['br;q=0.1, gzip;q=0.2, identity;q=0.3', 'identity'],
    ['gzip;q=0.5', 'gzip'],
    ['identity, gzip', 'gzip'],
    ['identity;q=0.5, gzip;q=0.5', 'gzip'],
    ['deflate, zstd', 'identity'],
    ['*', 'br'],
    ['*;q=0', 'identity'],
    ['*, br;q=0', 'gzip'],
    ['gzip;q=0, *', 'br'],
    ['gzip;q=0, br;q=0, *', 'identity'],
    ['gzip;q=0.001, *;q=0', 'gzip'],
    ['identity;q=0, gzip', 'gzip'],
    ['identity;q=0', 'identity'],
    ['x-gzip', 'gzip'],
    ['GZIP ; Q=0.8 , BR ; Q=0.7', 'gzip'],
    [' , gzip,, ', 'gzip'],
    ['gzip;q=2', 'identity'],
    ['gzip;q=', 'identity'],
    ['gzip;q=0.0001', 'identity'],
    ['gzip;q=-1, br', 'br'],
    ['gzipped, brotli', 'identity'],
    ['__proto__, constructor', 'identity'],
    [`${'a,'.repeat(5_000)}gzip`, 'gzip'],
  ])('for %j is %s', (accepted, encoding) => {
    for (let time = 0; time < 2; time++) expect(encodingFor(accepted, 10_000)).toBe(encoding);
  });

  test('is identity below 1 KiB, unless that is refused', () => {
    expect([1_023, 1_024].map((bytes) => encodingFor('gzip, br', bytes))).toEqual(['identity', 'br']);
    for (const accepted of ['gzip, identity;q=0', 'gzip, *;q=0']) expect(encodingFor(accepted, 1)).toBe('gzip');
    expect(encodingFor('gzip, *;q=0, identity', 1)).toBe('identity');
  });

  test('is told of more headers than are remembered', () => {
    for (let index = 0; index < 1_000; index++) expect(encodingFor(`gzip, coding-${index}`, 10_000)).toBe('gzip');
    expect(encodingFor('br', 10_000)).toBe('br');
  });
});
