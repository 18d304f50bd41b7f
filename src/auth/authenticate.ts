import { GraphQLError } from 'graphql';
import type { Logger } from 'pino';
import { Counter, type Registry } from 'prom-client';
import type { AuthConfig } from '../config.ts';
import type { Dependencies, Viewer } from '../context.ts';
import type { SharedDatabase } from '../db/database.ts';
import { findActiveUser } from '../domains/accounts/queries.ts';
import { createDemoAuthenticator } from './demo-viewer.ts';
import { createDevelopmentKeys, developmentIssuer } from './development-key.ts';
import { createIssuerKeys } from './key-set.ts';
import { createTokenCache } from './token-cache.ts';
import { maxTokenLength, type TokenFault, tokenError } from './token-faults.ts';
import { createTokenVerifier, type TokenVerifier, type VerifiedToken } from './token-verifier.ts';

export interface AuthenticatorOptions {
  auth: AuthConfig;
  database: SharedDatabase;
  /** Where the key of development tokens is. */
  dataDir: string;
  log: Logger;
  /** Gets tributary_tokens_total. Default: nothing is counted. */
  registry?: Registry;
}

const bearerPrefix = /^Bearer +/i;
const userTimeoutMs = 3_000;

/**
 * Who asks, by the Authorization header and the mode: see AuthConfig. A token that is known is answered at once, others
 * by a promise; both fail with UNAUTHENTICATED for a bad token and with OVERLOADED for one that cannot be checked now.
 */
export function createAuthenticator(options: AuthenticatorOptions): Dependencies['authenticate'] {
  const { auth, database } = options;
  const demo = createDemoAuthenticator(database);
  if (auth.mode === 'off') return demo;
  const count = createTokenCount(options.registry);
  const cache = createTokenCache({ check: createCheck(createVerifier(options), options) });

  const accept = (result: Viewer | TokenFault, isCached: boolean): Viewer => {
    const isFault = typeof result === 'string';
    count(isFault ? result : isCached ? 'cached' : 'checked');
    if (isFault) throw tokenError(result);
    return result;
  };
  return (request) => {
    const header = request.headers.get('authorization');
    if (header === null) return auth.mode === 'development' ? demo() : null;
    const token = readBearer(header);
    const result = token.fault ?? cache(token.text);
    return result instanceof Promise ? result.then((checked) => accept(checked, false)) : accept(result, true);
  };
}

/** The token of a header `Bearer TOKEN`; its length is looked at before anything else. */
function readBearer(header: string): { text: string; fault?: TokenFault } {
  if (header.length > maxTokenLength + 'Bearer '.length) return { text: '', fault: 'length' };
  const [prefix] = bearerPrefix.exec(header) ?? [];
  const text = header.slice(prefix?.length);
  return prefix === undefined || text === '' || /\s/.test(text) ? { text, fault: 'header' } : { text };
}

function createVerifier({ auth, dataDir, log }: AuthenticatorOptions): TokenVerifier {
  return auth.mode === 'tokens'
    ? createTokenVerifier(auth, createIssuerKeys(auth.jwksUrl, log))
    : createTokenVerifier(developmentIssuer, createDevelopmentKeys(dataDir));
}

/** The token first, then its user, who must exist in the organization that the token names. */
function createCheck(verify: TokenVerifier, { database, log }: AuthenticatorOptions) {
  return async (token: string): Promise<VerifiedToken | TokenFault> => {
    try {
      const verified = await verify(token);
      if (typeof verified === 'string') return verified;
      const { userId, organizationId } = verified.viewer;
      const bounded = database.within({ signal: AbortSignal.timeout(userTimeoutMs), organizationId });
      return (await findActiveUser(bounded, organizationId, userId)) ? verified : 'user';
    } catch (error) {
      // An outage of the database is the pool's to log.
      if (!(error instanceof GraphQLError)) log.error({ err: error }, 'a token could not be checked');
      return 'unavailable';
    }
  };
}

function createTokenCount(registry: Registry | undefined): (result: TokenFault | 'cached' | 'checked') => void {
  if (!registry) return () => {};
  // An addition to a number each: labels would be made into a key for each request.
  const counts = new Map<string, number>();
  new Counter({
    name: 'tributary_tokens_total',
    help: 'Requests with a token, by what came of it: cached, checked, or what was wrong.',
    labelNames: ['result'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [result, count] of counts) this.inc({ result }, count);
    },
  });
  return (result) => counts.set(result, (counts.get(result) ?? 0) + 1);
}
