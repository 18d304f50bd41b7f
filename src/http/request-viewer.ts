import type { IncomingMessage } from 'node:http';
import type { Dependencies, Viewer } from '../context.ts';

/**
 * The viewer of a request of node:http, for which no Request is made.
 * @throws UNAUTHENTICATED for a token that is not good
 */
export function viewerOf(
  authenticate: Dependencies['authenticate'],
  { headers }: IncomingMessage,
): Promise<Viewer | null> | Viewer | null {
  const get = (name: string) => headers[name] ?? null;
  return authenticate({ headers: { get } } as unknown as Request);
}

/** A viewer is one object as long as its token is known; a text made anew would be hashed anew. */
const keys = new WeakMap<Viewer, string>();

/** What the quota of a viewer counts under; null: not signed in. */
export function viewerKeyOf(viewer: Viewer | null | undefined): string | null {
  if (!viewer) return null;
  let key = keys.get(viewer);
  if (key === undefined) {
    key = `${viewer.organizationId}:${viewer.userId}`;
    keys.set(viewer, key);
  }
  return key;
}
