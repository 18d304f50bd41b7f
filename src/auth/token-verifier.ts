import { GraphQLError } from 'graphql';
import {
  type CryptoKey,
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  jwtVerify,
} from 'jose';
import type { TokenIssuer } from '../config.ts';
import { type Scope, scopes, type Viewer } from '../context.ts';
import { isUuid } from '../db/id.ts';
import type { KeySet } from './key-set.ts';
import { maxTokenLength, type TokenFault } from './token-faults.ts';

/** Clocks may differ by so much: exp and nbf are taken that generously. */
const leewaySeconds = 5;

export interface VerifiedToken {
  /** As the token says: whether there is such a user is another question. */
  viewer: Viewer;
  /** Milliseconds since 1970, leeway included. */
  expiresAtMs: number;
}

/** What a token says, or what is wrong with it. Rejects only for a fault of ours or of a published key. */
export type TokenVerifier = (token: string) => Promise<VerifiedToken | TokenFault>;

/** Checks signature, algorithm, iss, aud, exp and nbf of a JWT, and that sub, org and scope are what we expect. */
export function createTokenVerifier(
  { issuer, audience, algorithms }: Omit<TokenIssuer, 'jwksUrl'>,
  keys: KeySet,
): TokenVerifier {
  const options: JWTVerifyOptions = {
    issuer,
    audience,
    algorithms,
    clockTolerance: leewaySeconds,
    requiredClaims: ['exp', 'sub', 'org'],
  };
  return async (token) => {
    if (token.length > maxTokenLength) return 'length';
    try {
      return readClaims(await verifySignature(token, keys, options));
    } catch (error) {
      const fault = faultOf(error);
      if (fault === null) throw error;
      return fault;
    }
  };
}

async function verifySignature(token: string, keys: KeySet, options: JWTVerifyOptions): Promise<JWTPayload> {
  try {
    return await verifyByAnyKey(token, keys.find, options);
  } catch (error) {
    // Without a key id a new key is known only by this: the old one does not fit.
    const isKeyNamed = () => decodeProtectedHeader(token).kid !== undefined;
    if (!(error instanceof errors.JWSSignatureVerificationFailed) || isKeyNamed()) throw error;
    if (!(await keys.renew())) throw error;
    return verifyByAnyKey(token, keys.find, options);
  }
}

async function verifyByAnyKey(token: string, find: JWTVerifyGetKey, options: JWTVerifyOptions): Promise<JWTPayload> {
  try {
    return (await jwtVerify(token, find, options)).payload;
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    for await (const key of error as AsyncIterable<CryptoKey>) {
      const verified = await jwtVerify(token, key, options).catch((failure: unknown) => {
        if (!(failure instanceof errors.JWSSignatureVerificationFailed)) throw failure;
        return null;
      });
      if (verified) return verified.payload;
    }
    throw new errors.JWSSignatureVerificationFailed();
  }
}

/** Unknown scopes are left out; no scope claim: none. */
function readClaims({ sub, org, scope, exp }: JWTPayload): VerifiedToken | TokenFault {
  const userId = String(sub).toLowerCase();
  const organizationId = String(org).toLowerCase();
  if (!isUuid(userId) || !isUuid(organizationId)) return 'claims';
  const given: unknown[] = typeof scope === 'string' ? scope.split(' ') : Array.isArray(scope) ? scope : [];
  const known = scopes.filter((name: Scope) => given.includes(name));
  return { viewer: { userId, organizationId, scopes: known }, expiresAtMs: (exp! + leewaySeconds) * 1_000 };
}

/** null: not the token's fault. */
function faultOf(error: unknown): TokenFault | null {
  if (error instanceof errors.JWTExpired) return 'expired';
  if (error instanceof errors.JWTClaimValidationFailed) return claimFaultOf(error);
  if (error instanceof errors.JOSEAlgNotAllowed) return 'algorithm';
  if (error instanceof errors.JWKSNoMatchingKey) return 'key';
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'signature';
  const isMalformed = [errors.JWSInvalid, errors.JWTInvalid, errors.JOSENotSupported].some(
    (kind) => error instanceof kind,
  );
  if (isMalformed) return 'malformed';
  // From the key set: the issuer is down.
  return error instanceof GraphQLError ? 'unavailable' : null;
}

function claimFaultOf({ claim, reason }: errors.JWTClaimValidationFailed): TokenFault {
  if (claim === 'iss') return 'issuer';
  if (claim === 'aud') return 'audience';
  return claim === 'nbf' && reason === 'check_failed' ? 'early' : 'claims';
}
