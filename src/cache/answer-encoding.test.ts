import { describe, expect, test } from 'vitest';
import type { Answer } from './answer-cache.ts';
import { decodeAnswer, encodeAnswer } from './answer-encoding.ts';

const minuteMs = 60_000;

function answer(text: string, { ageMs = 0, maxAgeMs = 5 * minuteMs, tags = ['a/b.id=1', '/ü'] } = {}): Answer {
  const madeAtMs = performance.now() - ageMs;
  const body = Buffer.from(text);
  const expiresAtMs = madeAtMs + maxAgeMs;
  const times = { madeAtMs, expiresAtMs, staleUntilMs: expiresAtMs };
  return { body, etag: '"e"', tags, position: '1-2', bytes: body.length, ...times };
}

const page = (bytes: number) =>
  JSON.stringify(Array.from({ length: bytes / 50 }, (_, id) => ({ id, name: `Name of ${id}`, at: id * 7_919 })));

describe('an answer as text', () => {
  test.each([0, 1, 1_000, 5_000, 200_000, 2_000_000])('of %i bytes comes back as it was', async (bytes) => {
    const given = answer(`${page(bytes)}ü\n{}`);
    const text = await encodeAnswer(given);
    const { body, etag, tags, position, bytes: size } = (await decodeAnswer(text))!;
    expect(body.equals(given.body)).toBe(true);
    expect(body.buffer.byteLength).toBe(body.length);
    expect({ etag, tags, position, size }).toEqual({
      etag: '"e"',
      tags: given.tags,
      position: '1-2',
      size: given.bytes,
    });
  });

  test('is compressed when it is large', async () => {
    expect((await encodeAnswer(answer(page(500)))).startsWith('p{"etag"')).toBe(true);
    const text = await encodeAnswer(answer(page(50_000)));
    expect(text.startsWith('z')).toBe(true);
    expect(text.length).toBeLessThan(page(50_000).length / 3);
  });

  test('has its age with it, and is nothing when it is too old', async () => {
    const text = await encodeAnswer(answer('{}', { ageMs: minuteMs, maxAgeMs: 2 * minuteMs }));
    const { madeAtMs, expiresAtMs } = (await decodeAnswer(text))!;
    expect(Math.abs(performance.now() - minuteMs - madeAtMs)).toBeLessThan(1_000);
    expect(expiresAtMs - madeAtMs).toBe(2 * minuteMs);
    expect(
      await decodeAnswer(await encodeAnswer(answer('{}', { ageMs: 3 * minuteMs, maxAgeMs: minuteMs }))),
    ).toBeNull();
  });

  test('made by a clock that is ahead is new, not older than it was made', async () => {
    const text = await encodeAnswer(answer('{}', { ageMs: -minuteMs }));
    expect((await decodeAnswer(text))!.madeAtMs).toBeLessThanOrEqual(performance.now());
  });

  test.each([
    '',
    'p',
    'z',
    'zAAAA',
    'x{}',
    'p{}\n{}',
    'pnull\n{}',
    'p{"etag":"e","tags":[1],"position":"1"}\n{}',
    '\u0000',
  ])('is not %j', async (text) => {
    expect(await decodeAnswer(text)).toBeNull();
  });

  test.each([500, 50_000])('of %i bytes that was cut off is none', async (bytes) => {
    const text = await encodeAnswer(answer(page(bytes)));
    expect(await decodeAnswer(text)).not.toBeNull();
    expect(await decodeAnswer(text.slice(0, -4))).toBeNull();
  });

  test('that would be endless when it is decompressed is none', async () => {
    const text = await encodeAnswer(answer('x'.repeat(33 * 1024 * 1024)));
    expect(text.length).toBeLessThan(1024 * 1024);
    expect(await decodeAnswer(text)).toBeNull();
  });

  test('of many bytes is made beside the event loop', async () => {
    const large = answer(page(5_000_000));
    const turns = { count: 0 };
    const timer = setInterval(() => (turns.count += 1), 1);
    const text = await encodeAnswer(large);
    const encoding = turns.count;
    await decodeAnswer(text);
    clearInterval(timer);
    expect(encoding).toBeGreaterThan(0);
    expect(turns.count).toBeGreaterThan(encoding);
  });
});
