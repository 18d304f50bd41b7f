import type { TestProject } from 'vitest/node';
import { type EmbeddedConnection, startEmbeddedPostgres } from '../db/embedded/embedded-postgres.ts';
import { migrate } from '../db/migrate.ts';
import { createDatabaseIn, templateName } from './test-database.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    postgres: EmbeddedConnection;
  }
}

/** One Postgres for the whole run, with a migrated database that every test file clones. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startEmbeddedPostgres({
    purpose: 'npm test',
    ephemeral: true,
    settings: { max_connections: '200' },
  });
  await createDatabaseIn(server.connection, templateName);
  await migrate({ ...server.connection, database: templateName });
  project.provide('postgres', server.connection);
  return () => server.stop();
}
