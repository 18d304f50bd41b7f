import type { Database, RunListener, Statement, Value } from './database.ts';

/** The same database, of which each statement is told. */
export function notingDatabase(database: Database, note: RunListener): Database {
  return {
    run: <Row>(statement: Statement, values: readonly Value[]) => {
      note(statement, values);
      return noteRows(database.run<Row>(statement, values), statement, values, note);
    },
    transaction: (work) => database.transaction((transaction) => work(notingDatabase(transaction, note))),
  };
}

/** Tells of the rows of a statement, where they tell what it has read, before they are answered. */
export function noteRows<Row>(
  running: Promise<Row[]>,
  statement: Statement,
  values: readonly Value[],
  note: RunListener,
): Promise<Row[]> {
  if (statement.answeredTags === undefined) return running;
  return running.then((rows) => {
    note(statement, values, rows);
    return rows;
  });
}
