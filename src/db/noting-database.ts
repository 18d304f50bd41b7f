import type { Bounds, Database } from './database.ts';

/** The same database, of which each statement is told before it runs. */
export function notingDatabase(database: Database, note: NonNullable<Bounds['onRun']>): Database {
  return {
    run(statement, values) {
      note(statement, values);
      return database.run(statement, values);
    },
    transaction: (work) => database.transaction((transaction) => work(notingDatabase(transaction, note))),
  };
}
