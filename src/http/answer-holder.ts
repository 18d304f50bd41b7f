import { keyPart } from '../cache/answer-key.ts';
import type { Viewer } from '../context.ts';
import type { CacheScope } from '../schema/policy.ts';

/**
 * Whose answer it is, as a part of its key: everybody's, that of an organization and a set of scopes, or one user's. null:
 * nobody can have it.
 */
export function holderOf(scope: CacheScope, viewer: Viewer | null): string | null {
  if (scope === 'public') return 'public';
  if (viewer === null) return null;
  const organization = keyPart(viewer.organizationId);
  const scopes = [...viewer.scopes].sort().map(keyPart).join('+');
  return scope === 'organization'
    ? `organization:${organization}:${scopes}`
    : `viewer:${organization}:${keyPart(viewer.userId)}:${scopes}`;
}
