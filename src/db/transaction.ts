import type { Caller } from './caller.ts';
import { type Connection, interruptGraceMs } from './connection.ts';
import type { Database, Statement, StatementListener, Value } from './database.ts';

const commitLimitMs = 10_000;

export interface TransactionOptions {
  connection: Connection;
  /** Whose departure cancels its statements. */
  caller: Caller;
  onStatement?: StatementListener | undefined;
  /** Told of what a statement has changed, or may have, should the transaction be committed. */
  onWritten?: ((tags: readonly string[]) => void) | undefined;
  /** Told before the commit is sent: from then on what was written may be there. */
  onCommit?: (() => void) | undefined;
}

/**
 * Runs `work` between begin, which has been done, and commit on a connection of its own. A rejection of `work` rolls all
 * of it back; a connection that does not answer the rollback is ended, and the server rolls back by itself.
 */
export async function runTransaction<Result>(
  options: TransactionOptions,
  work: (transaction: Database) => Promise<Result>,
): Promise<Result> {
  const { connection, caller } = options;
  let result: Result;
  try {
    result = await work(databaseOn(options, { savepoints: 0 }));
    if (caller.isGone) throw caller.signal?.reason;
  } catch (error) {
    await rollBack(connection);
    throw error;
  }
  options.onCommit?.();
  // A commit that was sent is not cancelled: it comes to its end, or its connection does.
  await control(connection, 'commit', caller.signal ? commitLimitMs : null);
  return result;
}

/** A statement that begins or ends a part; one that fails, or has no answer within the limit, ends the connection. */
export async function control(connection: Connection, text: string, limitMs: number | null = null): Promise<void> {
  const limit = limitMs === null ? undefined : setTimeout(() => connection.destroy(), limitMs);
  try {
    await connection.run({ name: text, text, isPrepared: false }, []);
  } catch (error) {
    // Where the transaction stands now cannot be known.
    connection.destroy();
    throw error;
  } finally {
    clearTimeout(limit);
  }
}

async function rollBack(connection: Connection): Promise<void> {
  await connection.interruption;
  if (!connection.isLost) await control(connection, 'rollback', interruptGraceMs).catch(() => {});
}

function databaseOn(options: TransactionOptions, names: { savepoints: number }): Database {
  const { connection, caller, onStatement, onWritten } = options;
  return {
    run: async <Row>(statement: Statement, values: readonly Value[]) => {
      const startedAt = performance.now();
      let failure: unknown;
      try {
        const rows = await connection.run<Row>(statement, values, caller);
        if (!statement.isRead) onWritten?.(statement.writtenTags?.(values, rows) ?? []);
        return rows;
      } catch (error) {
        failure = error;
        throw error;
      } finally {
        onStatement?.(statement, performance.now() - startedAt, failure);
      }
    },
    transaction: async (work) => {
      names.savepoints += 1;
      const name = `savepoint_${names.savepoints}`;
      await control(connection, `savepoint ${name}`);
      try {
        const result = await work(databaseOn(options, names));
        await control(connection, `release savepoint ${name}`);
        return result;
      } catch (error) {
        await connection.interruption;
        await control(connection, `rollback to savepoint ${name}`);
        throw error;
      }
    },
  };
}
