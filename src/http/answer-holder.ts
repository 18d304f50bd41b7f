import type { Viewer } from '../context.ts';
import type { CacheScope } from '../schema/policy.ts';

/** Whose answer it is: everybody's, that of an organization and a set of scopes, or one user's. null: nobody can have it. */
export function holderOf(scope: CacheScope, viewer: Viewer | null): string | null {
  if (scope === 'public') return 'public';
  if (viewer === null) return null;
  const scopes = [...viewer.scopes].sort().join(' ');
  return scope === 'organization'
    ? `${viewer.organizationId}:${scopes}`
    : `${viewer.organizationId}:${viewer.userId}:${scopes}`;
}
