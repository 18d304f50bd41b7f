import { ExponentialBackoff, handleAll, retry } from 'cockatiel';
import type { ConnectionTarget } from './database.ts';
import {
  type EmbeddedPostgres,
  findEmbeddedPostgres,
  joinEmbeddedPostgres,
  startEmbeddedPostgres,
} from './embedded/embedded-postgres.ts';
import { EmbeddedPostgresError } from './embedded/embedded-postgres-error.ts';

/** A Postgres this process may use. */
export interface DatabaseServer {
  /** Where it is now: an embedded server that was started again is somewhere else. */
  readonly connection: ConnectionTarget;
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
  /** Starts an embedded server that ended by itself again. Default: false. */
  isRestarted?: boolean;
}

/** The server of DATABASE_URL, or the embedded one: started, and stopped with this process. */
export async function openDatabaseServer(options: DatabaseServerOptions): Promise<DatabaseServer> {
  const { databaseUrl } = options;
  if (databaseUrl !== undefined) {
    const { host, pathname } = new URL(databaseUrl);
    return { connection: databaseUrl, description: `${host}${pathname}`, stop: async () => {} };
  }
  return openEmbedded(options);
}

/** As openDatabaseServer, but works beside a running server: tools join the embedded one that it holds. */
export async function joinDatabaseServer(options: DatabaseServerOptions): Promise<DatabaseServer> {
  const joined = options.databaseUrl === undefined ? await joinEmbeddedPostgres(options.dataDir) : null;
  if (!joined) return openDatabaseServer(options);
  return { connection: joined.connection, description: joined.url, stop: async () => {} };
}

/**
 * The server of DATABASE_URL, or the embedded one that another process holds for longer than this one runs, wherever that
 * is by then. Starts and ends nothing.
 * @throws EmbeddedPostgresError when nobody holds one
 */
export async function followDatabaseServer(options: DatabaseServerOptions): Promise<DatabaseServer> {
  const { databaseUrl, dataDir } = options;
  if (databaseUrl !== undefined) return openDatabaseServer(options);
  const joined = await joinEmbeddedPostgres(dataDir);
  if (!joined) throw new EmbeddedPostgresError(`The database in ${dataDir} is not running.`);
  let { connection } = joined;
  return {
    get connection() {
      // While it is started again nobody knows where it will be: the last place is as good as any.
      connection = findEmbeddedPostgres(dataDir)?.connection ?? connection;
      return connection;
    },
    description: joined.url,
    stop: async () => {},
  };
}

async function openEmbedded(options: DatabaseServerOptions): Promise<DatabaseServer> {
  const { dataDir, purpose, onLoss, isRestarted = false } = options;
  const ending = new AbortController();
  let restart: Promise<unknown> = Promise.resolve();
  const start = (): Promise<EmbeddedPostgres> =>
    startEmbeddedPostgres({
      dataDir,
      purpose,
      onLoss: (error) => {
        onLoss(error);
        if (isRestarted && !ending.signal.aborted) restart = startAgain();
      },
    });
  const untilItStarts = retry(handleAll, {
    maxAttempts: Number.POSITIVE_INFINITY,
    backoff: new ExponentialBackoff({ initialDelay: 100, maxDelay: 5_000 }),
  }).dangerouslyUnref();
  const startAgain = () =>
    untilItStarts
      .execute(async () => {
        if (!ending.signal.aborted) embedded = await start();
      }, ending.signal)
      .catch(() => {});
  let embedded = await start();
  return {
    get connection() {
      return embedded.connection;
    },
    description: embedded.url,
    async stop() {
      ending.abort();
      await restart;
      await embedded.stop();
    },
  };
}
