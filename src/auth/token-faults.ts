import type { GraphQLError } from 'graphql';
import { overloaded, publicError } from '../errors.ts';

/** Characters of a token that are looked at; longer ones are refused before any work. */
export const maxTokenLength = 8_192;

const messages = {
  header: 'The Authorization header is not of the form: Bearer, a space, a token',
  length: `The token is too long: expected at most ${maxTokenLength} characters`,
  malformed: 'The token is malformed: expected a signed JWT',
  algorithm: 'The token is signed by an algorithm that is not allowed',
  key: 'The token is signed with a key that its issuer does not publish',
  signature: 'The signature of the token is wrong',
  expired: 'The token has expired: get a new one',
  early: 'The token is not yet valid',
  issuer: 'The token is from another issuer',
  audience: 'The token is for another audience',
  claims: 'The token has not the claims expected: exp, and sub and org as UUIDs',
  user: 'The user of the token is unknown in its organization, or not active',
} as const;

/** Why a token is not good; `unavailable`: that could not be found out now. */
export type TokenFault = keyof typeof messages | 'unavailable';

/** OVERLOADED when the token could not be checked, otherwise UNAUTHENTICATED with HTTP 401 as RFC 6750 has it. */
export function tokenError(fault: TokenFault): GraphQLError {
  if (fault === 'unavailable') return overloaded('Tokens cannot be checked now; try again soon');
  const headers = { 'www-authenticate': 'Bearer error="invalid_token"' };
  return publicError('UNAUTHENTICATED', messages[fault], { http: { status: 401, headers } });
}
