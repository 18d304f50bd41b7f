import { LRUCache } from 'lru-cache';
import type { Viewer } from '../context.ts';
import type { TokenFault } from './token-faults.ts';
import type { VerifiedToken } from './token-verifier.ts';

export interface TokenCacheOptions {
  /** The whole check of a token, signature and user. Must not reject. */
  check(token: string): Promise<VerifiedToken | TokenFault>;
  /** Of good tokens that are kept; the one unused for longest goes first. Default: 8 MiB, 10,000 of 400 characters. */
  maxBytes?: number;
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
const maxRefusedBytes = 512 * 1024;
/** Of what is known of a token, beside its characters. */
const entryBytes = 400;

/**
 * Remembers tokens: a good one until it expires, but it is checked anew about once a minute, so that a user who is no longer
 * active, and a key withdrawn, lose access. Concurrent uses share one check. By themselves, as their hash, which would be
 * shorter, takes 3 % of the CPU of a mix of hits.
 */
export function createTokenCache({ check, maxBytes = 8 * 1024 * 1024 }: TokenCacheOptions): TokenCache {
  const good = createMemory<Entry>(maxBytes);
  const refused = createMemory<{ fault: TokenFault; untilMs: number }>(maxRefusedBytes);
  const running = new Map<string, Promise<Viewer | TokenFault>>();

  function checkOnce(token: string): Promise<Viewer | TokenFault> {
    let pending = running.get(token);
    if (!pending) {
      const startedAtMs = Date.now();
      pending = check(token).then((result) => {
        running.delete(token);
        keep(token, result, startedAtMs);
        return typeof result === 'string' ? result : result.viewer;
      });
      running.set(token, pending);
    }
    return pending;
  }

  function keep(token: string, result: VerifiedToken | TokenFault, checkedAtMs: number): void {
    if (typeof result !== 'string') {
      good.set(token, { ...result, checkedAtMs, retryAtMs: 0 });
    } else if (result === 'unavailable') {
      const entry = good.get(token);
      if (entry) entry.retryAtMs = Date.now() + retryAfterMs;
    } else {
      good.delete(token);
      refused.set(token, { fault: result, untilMs: Date.now() + refusedForMs });
    }
  }

  function lookAgain(token: string, entry: Entry, nowMs: number) {
    const { viewer, checkedAtMs, retryAtMs } = entry;
    const ageMs = nowMs - checkedAtMs;
    const isStanding = ageMs < (retryAtMs === 0 ? waitAfterMs : outageStandsMs);
    if (nowMs < retryAtMs) return isStanding ? viewer : 'unavailable';
    const checked = checkOnce(token);
    if (isStanding) return viewer;
    return checked.then((result) => (result === 'unavailable' && ageMs < outageStandsMs ? viewer : result));
  }

  return (token) => {
    const nowMs = Date.now();
    const entry = good.get(token);
    if (!entry) {
      const known = refused.get(token);
      return known && nowMs < known.untilMs ? known.fault : checkOnce(token);
    }
    if (nowMs >= entry.expiresAtMs) {
      good.delete(token);
      return 'expired';
    }
    return nowMs - entry.checkedAtMs < recheckAfterMs ? entry.viewer : lookAgain(token, entry, nowMs);
  };
}

/** What is known of tokens, by token; the one unused for longest goes first. */
function createMemory<Known extends object>(maxBytes: number): LRUCache<string, Known> {
  return new LRUCache({ maxSize: maxBytes, sizeCalculation: (_known, token) => token.length + entryBytes });
}
