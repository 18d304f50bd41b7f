import { keyPart } from '../cache/answer-key.ts';
import type { Viewer } from '../context.ts';
import type { CacheScope } from '../schema/policy.ts';

interface Holders {
  organization: string;
  viewer: string;
}

/** A viewer is one object as long as its token is known, and does not change. */
const holders = new WeakMap<Viewer, Holders>();

/**
 * Whose answer it is, as a part of its key: everybody's, that of an organization and a set of scopes, or one user's. null:
 * nobody can have it.
 */
export function holderOf(scope: CacheScope, viewer: Viewer | null): string | null {
  if (scope === 'public') return 'public';
  if (viewer === null) return null;
  let known = holders.get(viewer);
  if (known === undefined) {
    const organization = keyPart(viewer.organizationId);
    const scopes = [...viewer.scopes].sort().map(keyPart).join('+');
    known = {
      organization: `organization:${organization}:${scopes}`,
      viewer: `viewer:${organization}:${keyPart(viewer.userId)}:${scopes}`,
    };
    holders.set(viewer, known);
  }
  return scope === 'organization' ? known.organization : known.viewer;
}
