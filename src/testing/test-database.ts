import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import type { Pool, Statement, WriteListener } from '../db/database.ts';
import type { EmbeddedConnection } from '../db/embedded/embedded-postgres.ts';
import { createPool } from '../db/pool.ts';

export const templateName = 'tributary_template';

/** A database of a test file's own, with what ran on it. */
export interface TestDatabase {
  connection: EmbeddedConnection;
  pool: Pool;
  /** Every statement since the last call, oldest first. */
  takeStatements(): Statement[];
  drop(): Promise<void>;
}

/** Clones the migrated template. */
export async function createTestDatabase(server: EmbeddedConnection, onWrite?: WriteListener): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  await createDatabaseIn(server, name, templateName);
  const connection = { ...server, database: name };
  let statements: Statement[] = [];
  const pool = createPool({ connection, size: 4, onStatement: (statement) => statements.push(statement), onWrite });
  return {
    connection,
    pool,
    takeStatements() {
      const taken = statements;
      statements = [];
      return taken;
    },
    async drop() {
      await pool.close();
      await inServer(server, (client) => client.unsafe(`drop database if exists ${name} with (force)`));
    },
  };
}

export function createDatabaseIn(server: EmbeddedConnection, name: string, template = 'template0'): Promise<void> {
  // A template in use cannot be cloned: clones take turns behind an advisory lock of the server's first database.
  return inServer(server, async (client) => {
    await client`select pg_advisory_lock(1)`;
    await client.unsafe(`create database ${name} template ${template}`);
  });
}

async function inServer(server: EmbeddedConnection, work: (client: postgres.Sql) => Promise<unknown>): Promise<void> {
  const client = postgres({ ...server, max: 1, fetch_types: false, onnotice: () => {} });
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
