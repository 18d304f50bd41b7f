import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { compress } from './compress.ts';
import { EncodedBodies } from './encoded-bodies.ts';

const body = Buffer.from(JSON.stringify(Array.from({ length: 1_000 }, (_, index) => ({ index, text: 'é'.repeat(9) }))));
const decode = { br: brotliDecompressSync, gzip: gunzipSync };

describe('compressed bodies', () => {
  test.each(['br', 'gzip'] as const)('by %s are made once, and hold the same', async (encoding) => {
    const bodies = new EncodedBodies();
    const etag = `"a-${encoding}"`;
    const [one, other] = await Promise.all([0, 1].map(() => bodies.find(etag, body, encoding)));
    expect(other).toBe(one);
    expect(bodies.find(etag, body, encoding)).toBe(one);
    expect(decode[encoding](one!)).toEqual(body);
    expect(one!.length).toBeLessThan(body.length / 4);
    // What it keeps in memory is what it counts.
    expect(one!.buffer.byteLength).toBe(one!.length);
  });

  test('stay within their bytes', async () => {
    const bodies = new EncodedBodies(20_000);
    for (let index = 0; index < 20; index++) await bodies.find(`"${index}"`, body, 'gzip');
    expect(bodies.bytes).toBeLessThanOrEqual(20_000);
    expect(bodies.count).toBeGreaterThan(0);
    expect(bodies.count).toBeLessThan(20);
  });

  test('are made beside the event loop, which goes on meanwhile', async () => {
    const large = Buffer.concat(Array.from({ length: 200 }, () => body));
    for (const encoding of ['br', 'gzip'] as const) {
      let turns = 0;
      let isDone = false;
      const work = compress(large, encoding).then(() => {
        isDone = true;
      });
      while (!isDone) {
        await new Promise(setImmediate);
        turns += 1;
      }
      await work;
      // Done on the event loop, it would take one or two.
      expect(turns).toBeGreaterThan(20);
    }
  });
});
