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

/** What the quota of a viewer counts under; null: not signed in. */
export function viewerKeyOf(viewer: Viewer | null | undefined): string | null {
  return viewer ? `${viewer.organizationId}:${viewer.userId}` : null;
}
