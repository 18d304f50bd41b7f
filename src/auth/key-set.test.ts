import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Viewer } from '../context.ts';
import { newId } from '../db/id.ts';
import { createTestIssuer, type TestIssuer } from '../testing/test-issuer.ts';
import { createIssuerKeys } from './key-set.ts';
import { createTokenVerifier, type TokenVerifier } from './token-verifier.ts';

const viewer: Viewer = { userId: newId(), organizationId: newId(), scopes: ['read'] };
const cooldownMs = 5_001;
const failureMs = 1_001;
const oldMs = 10 * 60_000 + 1;

let issuer: TestIssuer;
let verify: TokenVerifier;

/** Time is moved by hand; timers and sockets stay real. */
const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);
const good = expect.objectContaining({ viewer });
/** Good for a day, so that time may pass. */
const sign = (kid?: string) =>
  issuer.sign(viewer, { exp: Math.floor(Date.now() / 1_000) + 86_400 }, kid === undefined ? {} : { kid });

async function start(hasKeyIds = true): Promise<void> {
  issuer = await createTestIssuer('ES256', hasKeyIds);
  const keys = createIssuerKeys(issuer.settings.jwksUrl, pino({ level: 'silent' }));
  verify = createTokenVerifier(issuer.settings, keys);
}

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  await start();
});

afterEach(async () => {
  vi.useRealTimers();
  await issuer.close();
});

describe('the keys of the issuer', () => {
  test('are fetched at the first token, once for all', async () => {
    expect(issuer.fetches).toBe(0);
    const tokens = await Promise.all(Array.from({ length: 50 }, () => sign()));
    for (const result of await Promise.all(tokens.map(verify))) expect(result).toEqual(good);
    expect(issuer.fetches).toBe(1);
  });

  test('are fetched again for a key id that is new, and at most every 5 s', async () => {
    const before = await sign();
    expect(await verify(before)).toEqual(good);
    await issuer.rotate();
    const after = await sign();
    expect(await verify(after)).toBe('key');
    pass(cooldownMs);
    expect(await verify(after)).toEqual(good);
    expect(await verify(before)).toBe('key');
    for (let index = 0; index < 100; index += 1) expect(await verify(await sign(`made-up-${index}`))).toBe('key');
    expect(issuer.fetches).toBe(2);
  });

  test('may be several, with and without key ids', async () => {
    await issuer.close();
    await start(false);
    const first = await sign();
    expect(await verify(first)).toEqual(good);
    await issuer.rotate('keep');
    pass(cooldownMs);
    expect(await verify(await sign())).toEqual(good);
    expect(await verify(first)).toEqual(good);
    expect(issuer.fetches).toBe(2);
  });

  test('are renewed when they are old, beside the token that finds them old', async () => {
    const token = await sign();
    await verify(token);
    await issuer.rotate();
    pass(oldMs);
    expect(await verify(token)).toEqual(good);
    await vi.waitFor(async () => expect(await verify(token)).toBe('key'), { timeout: 5_000 });
    expect(issuer.fetches).toBe(2);
  });
});

describe('an outage of the issuer', () => {
  test.each(['down', 'failing', 'empty'] as const)('(%s) leaves known keys at work, for a day', async (state) => {
    const token = await sign();
    expect(await verify(token)).toEqual(good);
    await issuer.become(state);
    for (let hour = 0; hour < 23; hour += 1) {
      pass(3_600_000);
      expect(await verify(token)).toEqual(good);
    }
  });

  test('says of an unknown key that it cannot be checked now, and takes it when the issuer is back', async () => {
    const known = await sign();
    await verify(known);
    await issuer.rotate('keep');
    const unknown = await sign();
    await issuer.become('down');
    pass(cooldownMs);
    expect(await verify(unknown)).toBe('unavailable');
    expect(await verify(unknown)).toBe('unavailable');
    expect(await verify(known)).toEqual(good);
    await issuer.become('up');
    pass(failureMs);
    expect(await verify(unknown)).toEqual(good);
  });

  test('before any key was fetched, too', async () => {
    await issuer.become('down');
    const token = await sign();
    expect(await Promise.all([verify(token), verify(token)])).toEqual(['unavailable', 'unavailable']);
    await issuer.become('up');
    expect(await verify(token)).toBe('unavailable');
    pass(failureMs);
    expect(await verify(token)).toEqual(good);
    expect(issuer.fetches).toBe(1);
  });

  test('that hangs is given up, and asked once for all who wait', async () => {
    await issuer.become('hanging');
    const token = await sign();
    const startedAt = performance.now();
    const results = await Promise.all(Array.from({ length: 20 }, () => verify(token)));
    expect(new Set(results)).toEqual(new Set(['unavailable']));
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    expect(issuer.fetches).toBe(1);
    await issuer.become('up');
    pass(failureMs);
    expect(await verify(token)).toEqual(good);
  });
});
