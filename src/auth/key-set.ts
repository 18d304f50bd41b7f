import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import type { Logger } from 'pino';
import { overloaded } from '../errors.ts';

/** The public keys of an issuer. */
export interface KeySet {
  /**
   * The key that a token names.
   * @throws JWKSNoMatchingKey for a key that is not the issuer's, OVERLOADED when that cannot be known now
   */
  find: JWTVerifyGetKey;
  /** Whether the keys were fetched anew just now; false: they are recent. @throws OVERLOADED when the issuer is down */
  renew(): Promise<boolean>;
}

const fetchTimeoutMs = 3_000;
/** Keys this old are fetched anew, while the old ones serve. */
const maxAgeMs = 10 * 60_000;
/** Between two fetches: whoever makes up key ids must not make this process a load on the issuer. */
const renewCooldownMs = 5_000;
const failureCooldownMs = 1_000;

/**
 * The keys at a JWKS URL: fetched at the first use, once for all who wait, and again when they are old or lack a key.
 * What was fetched last is kept while the issuer is down, which jose's createRemoteJWKSet does not do: there a fetch
 * that fails after cacheMaxAge fails the verification (6.2).
 */
export function createIssuerKeys(jwksUrl: string, log: Logger): KeySet {
  let known: ReturnType<typeof createLocalJWKSet> | undefined;
  let fetchedAtMs = 0;
  let failedAtMs = 0;
  let pending: Promise<void> | undefined;

  async function fetchOnce(): Promise<void> {
    try {
      known = createLocalJWKSet(await fetchKeySet(jwksUrl));
      fetchedAtMs = Date.now();
      failedAtMs = 0;
    } catch (error) {
      failedAtMs = Date.now();
      log.warn({ err: error, jwksUrl, isServing: known !== undefined }, 'the keys of the issuer could not be fetched');
      throw overloaded('The issuer of the token does not answer; try again soon');
    }
  }

  async function renew(): Promise<boolean> {
    const nowMs = Date.now();
    if (!pending) {
      if (nowMs - failedAtMs < failureCooldownMs) {
        throw overloaded('The issuer of the token does not answer; try again soon');
      }
      if (nowMs - fetchedAtMs < renewCooldownMs) return false;
      pending = fetchOnce().finally(() => {
        pending = undefined;
      });
    }
    await pending;
    return true;
  }

  return {
    renew,
    async find(header, token) {
      if (!known) await renew();
      // The failure is logged and the old keys stand.
      else if (Date.now() - fetchedAtMs > maxAgeMs) renew().catch(() => {});
      try {
        return await known!(header, token);
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey) || !(await renew())) throw error;
        return known!(header, token);
      }
    },
  };
}

/** An answer without keys is a failure, too: it must not take the place of keys that work. */
async function fetchKeySet(jwksUrl: string): Promise<JSONWebKeySet> {
  const response = await fetch(jwksUrl, {
    headers: { accept: 'application/json, application/jwk-set+json' },
    redirect: 'error',
    signal: AbortSignal.timeout(fetchTimeoutMs),
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`expected HTTP 200 with a JWKS, got ${response.status}`);
  }
  const { keys } = (await response.json()) as JSONWebKeySet;
  if (!Array.isArray(keys) || keys.length === 0) throw new Error('expected a JWKS with keys, got none');
  return { keys };
}
