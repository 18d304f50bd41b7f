/** The second wall between organizations, behind the statements themselves. */
import type { Database, Statement, Value } from './database.ts';

/** @throws Error for a statement that does not name the viewer's organization: a fault of ours */
export function requireOrganization(
  statement: Statement,
  values: readonly Value[],
  organizationId: string | null,
): void {
  const index = statement.organizationIndex ?? -1;
  if (index < 0 || organizationId === null || values[index] !== organizationId) {
    throw new Error(`${statement.name} does not name the viewer's organization`);
  }
}

/** A transaction whose statements must all name the organization. */
export function guarded(database: Database, organizationId: string | null): Database {
  return {
    run: async (statement, values) => {
      requireOrganization(statement, values, organizationId);
      return database.run(statement, values);
    },
    transaction: (work) => database.transaction((nested) => work(guarded(nested, organizationId))),
  };
}

/** The one door in the wall: reads of what an organization shows to everybody, and nothing else. */
export function publicOnly(database: Database): Database {
  return {
    run: async (statement, values) => {
      if (statement.isPublic !== true || statement.isRead !== true) {
        throw new Error(`${statement.name} is no read of what is public`);
      }
      return database.run(statement, values);
    },
    transaction: async () => {
      throw new Error('what is public is only read, without a transaction');
    },
  };
}
