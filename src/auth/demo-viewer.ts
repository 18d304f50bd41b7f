import { scopes, type Viewer } from '../context.ts';
import type { Database } from '../db/database.ts';
import { findUserByEmail } from '../domains/accounts/queries.ts';

/** Whom requests act as while there is no sign-in. */
export const demoUserEmail = 'ada@riverbank.example';

/** Answers every request with the demo user, looked up once and known at once from then on; null until the demo data are there. */
export function createDemoAuthenticator(database: Database): () => Promise<Viewer | null> | Viewer {
  let known: Viewer | undefined;
  const find = async () => {
    const user = await findUserByEmail(database, demoUserEmail);
    if (user) known = { userId: user.id, organizationId: user.organizationId, scopes };
    return known ?? null;
  };
  return () => known ?? find();
}
