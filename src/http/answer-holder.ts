import type { Viewer } from '../context.ts';
import type { CacheScope } from '../schema/policy.ts';

interface Holders {
  organization: string;
  viewer: string;
}

/** A viewer is one object as long as its token is known, and does not change. */
const holders = new WeakMap<Viewer, Holders>();

/** Whose answer it is: everybody's, that of an organization and a set of scopes, or one user's. null: nobody can have it. */
export function holderOf(scope: CacheScope, viewer: Viewer | null): string | null {
  if (scope === 'public') return 'public';
  if (viewer === null) return null;
  let known = holders.get(viewer);
  if (known === undefined) {
    const { organizationId, userId } = viewer;
    const scopes = [...viewer.scopes].sort().join(' ');
    known = { organization: `${organizationId}:${scopes}`, viewer: `${organizationId}:${userId}:${scopes}` };
    holders.set(viewer, known);
  }
  return scope === 'organization' ? known.organization : known.viewer;
}
