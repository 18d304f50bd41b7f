import { joinEmbeddedPostgres, startEmbeddedPostgres } from './embedded/embedded-postgres.ts';
import type { PoolOptions } from './pool.ts';

/** A Postgres this process may use. */
export interface DatabaseServer {
  connection: PoolOptions['connection'];
  /** For the log: where it is, without passwords. */
  description: string;
  /** Ends the server when it is ours. */
  stop(): Promise<void>;
}

export interface DatabaseServerOptions {
  databaseUrl: string | undefined;
  dataDir: string;
  /** What this process is, for the message that a second one gets. */
  purpose: string;
  /** Called when the embedded server ends by itself. */
  onLoss(error: Error): void;
}

/** The server of DATABASE_URL, or the embedded one: started, and stopped with this process. */
export async function openDatabaseServer(options: DatabaseServerOptions): Promise<DatabaseServer> {
  const { databaseUrl, dataDir, purpose, onLoss } = options;
  if (databaseUrl !== undefined) {
    const { host, pathname } = new URL(databaseUrl);
    return { connection: databaseUrl, description: `${host}${pathname}`, stop: async () => {} };
  }
  const embedded = await startEmbeddedPostgres({ dataDir, purpose, onLoss });
  return { connection: embedded.connection, description: embedded.url, stop: () => embedded.stop() };
}

/** As openDatabaseServer, but works beside a running server: tools join the embedded one that it holds. */
export async function joinDatabaseServer(options: DatabaseServerOptions): Promise<DatabaseServer> {
  const joined = options.databaseUrl === undefined ? await joinEmbeddedPostgres(options.dataDir) : null;
  if (!joined) return openDatabaseServer(options);
  return { connection: joined.connection, description: joined.url, stop: async () => {} };
}
