import { hash } from 'node:crypto';
import type { Viewer } from '../context.ts';
import type { TokenFault } from './token-faults.ts';
import type { VerifiedToken } from './token-verifier.ts';

export interface TokenCacheOptions {
  /** The whole check of a token, signature and user. Must not reject. */
  check(token: string): Promise<VerifiedToken | TokenFault>;
  /** Good tokens that are kept; the one unused for longest goes first. Default: 10,000, about 4 MB. */
  maxEntries?: number;
}

/** At once for a token that is known, a promise otherwise. Never throws or rejects. */
export type TokenCache = (token: string) => Viewer | TokenFault | Promise<Viewer | TokenFault>;

interface Entry extends VerifiedToken {
  checkedAtMs: number;
  /** Since the last check that came to an end nothing could be found out; the next one waits for this time. 0: it could. */
  retryAtMs: number;
}

/** An answer is used as it is for so long; then a check runs beside the requests that still use it. */
const recheckAfterMs = 60_000;
/** An answer this old was not used for a while: the request waits for the check. */
const waitAfterMs = 75_000;
/** While nothing can be checked, an answer stands for so long. */
const outageStandsMs = 10 * 60_000;
const retryAfterMs = 1_000;
/** The same bad token is not looked at again for so long; short, because a user or a key may be new. */
const refusedForMs = 2_000;
const maxRefused = 1_000;

/**
 * Remembers tokens by their hash: a good one until it expires, but it is checked anew about once a minute, so that a user
 * who is no longer active, and a key withdrawn, lose access. Concurrent uses share one check.
 */
export function createTokenCache({ check, maxEntries = 10_000 }: TokenCacheOptions): TokenCache {
  // A Map keeps the order of insertion: the first entry is the one unused for longest.
  const good = new Map<string, Entry>();
  const refused = new Map<string, { fault: TokenFault; untilMs: number }>();
  const running = new Map<string, Promise<Viewer | TokenFault>>();

  function checkOnce(key: string, token: string): Promise<Viewer | TokenFault> {
    let pending = running.get(key);
    if (!pending) {
      const startedAtMs = Date.now();
      pending = check(token).then((result) => {
        running.delete(key);
        keep(key, result, startedAtMs);
        return typeof result === 'string' ? result : result.viewer;
      });
      running.set(key, pending);
    }
    return pending;
  }

  function keep(key: string, result: VerifiedToken | TokenFault, checkedAtMs: number): void {
    if (typeof result !== 'string') {
      put(good, key, { ...result, checkedAtMs, retryAtMs: 0 }, maxEntries);
    } else if (result === 'unavailable') {
      const entry = good.get(key);
      if (entry) entry.retryAtMs = Date.now() + retryAfterMs;
    } else {
      good.delete(key);
      put(refused, key, { fault: result, untilMs: Date.now() + refusedForMs }, maxRefused);
    }
  }

  function lookAgain(key: string, token: string, entry: Entry, nowMs: number) {
    const { viewer, checkedAtMs, retryAtMs } = entry;
    const ageMs = nowMs - checkedAtMs;
    const isStanding = ageMs < (retryAtMs === 0 ? waitAfterMs : outageStandsMs);
    if (nowMs < retryAtMs) return isStanding ? viewer : 'unavailable';
    const checked = checkOnce(key, token);
    if (isStanding) return viewer;
    return checked.then((result) => (result === 'unavailable' && ageMs < outageStandsMs ? viewer : result));
  }

  return (token) => {
    const key = hash('sha256', token, 'latin1');
    const nowMs = Date.now();
    const entry = good.get(key);
    if (!entry) {
      const known = refused.get(key);
      return known && nowMs < known.untilMs ? known.fault : checkOnce(key, token);
    }
    if (nowMs >= entry.expiresAtMs) {
      good.delete(key);
      return 'expired';
    }
    good.delete(key);
    good.set(key, entry);
    return nowMs - entry.checkedAtMs < recheckAfterMs ? entry.viewer : lookAgain(key, token, entry, nowMs);
  };
}

/** Puts an entry last, and drops the first ones over the limit. */
function put<Value>(map: Map<string, Value>, key: string, value: Value, maxSize: number): void {
  map.delete(key);
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= maxSize) return;
    map.delete(oldest);
  }
}
