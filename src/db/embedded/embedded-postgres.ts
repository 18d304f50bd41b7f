// The Postgres of a machine that has none: real binaries from npm, started with the process and gone with it.
import { accessSync, constants, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findPostgresBinaries, type PostgresBinaries } from './binaries.ts';
import { clusterPath, DATABASE_NAME, DATABASE_USER, prepareCluster } from './cluster.ts';
import { resolveDatabaseUser } from './database-user.ts';
import { EmbeddedPostgresError, faultCode } from './embedded-postgres-error.ts';
import { type Guardian, spawnGuardian } from './guardian-link.ts';
import { clearLeftovers } from './leftovers.ts';
import { claimOwnership, type Ownership, readLiveOwner } from './owner.ts';
import { type ServerSettings, serverArguments } from './server-settings.ts';
import { createSocketFolder, DATABASE_PORT, removeSocketFolder } from './socket-folder.ts';

const JOIN_PATIENCE_MS = 60_000;

export interface EmbeddedConnection {
  /** The folder of the Unix socket; postgres.js takes the whole object as its options. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
}

export interface JoinedPostgres {
  readonly connection: EmbeddedConnection;
  /** For psql and other libpq programs; postgres.js cannot read a socket from a URL, give it `connection`. */
  readonly url: string;
  readonly ownerPid: number;
}

export interface EmbeddedPostgres extends JoinedPostgres {
  /** Stops the server and gives the data folder free; an ephemeral one is removed. */
  stop(): Promise<void>;
}

export interface EmbeddedPostgresOptions {
  /** Where `postgres/`, `owner.json` and `postgres.log` are; `.data` by default, not used when ephemeral. */
  readonly dataDir?: string;
  /** What this process is, for the message that a second one gets. */
  readonly purpose: string;
  /** Postgres settings that win over the defaults. */
  readonly settings?: ServerSettings;
  /** A fresh cluster in a temporary folder, fast and without durability, for tests. */
  readonly ephemeral?: boolean;
  /** Called once when the server ends without `stop`. */
  readonly onLoss?: (error: EmbeddedPostgresError) => void;
}

/** Starts Postgres for this process; it ends with the process, however that ends. Throws one line when it cannot. */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const binaries = await findPostgresBinaries();
  return options.ephemeral === true ? startEphemeral(options, binaries) : startDurable(options, binaries);
}

/** The server that another process runs on `dataDir` (waits while it starts), null when there is none. */
export async function joinEmbeddedPostgres(dataDir = '.data'): Promise<JoinedPostgres | null> {
  const deadline = Date.now() + JOIN_PATIENCE_MS;
  for (;;) {
    const owner = readLiveOwner(resolve(dataDir));
    if (owner === null) return null;
    if (owner.host !== null) return describeServer(owner.host, owner.pid);
    if (Date.now() > deadline) {
      throw new EmbeddedPostgresError(
        `The database in ${dataDir} is still starting (pid ${owner.pid}): try again later.`,
      );
    }
    await sleep(50);
  }
}

/** The server that another process runs on `dataDir` now; null: there is none, or it is starting. */
export function findEmbeddedPostgres(dataDir: string): JoinedPostgres | null {
  const owner = readLiveOwner(resolve(dataDir));
  return owner === null || owner.host === null ? null : describeServer(owner.host, owner.pid);
}

async function startDurable(options: EmbeddedPostgresOptions, binaries: PostgresBinaries): Promise<EmbeddedPostgres> {
  const dataDir = openDataDir(options.dataDir ?? '.data');
  // Before the claim, so that the wrong user reads whose data it is, not that a lock cannot be opened.
  const user = resolveDatabaseUser(dataDir, binaries.postgres);
  checkWritable(dataDir);
  const ownership = await claimOwnership(dataDir, options.purpose);
  try {
    await clearLeftovers(clusterPath(dataDir), ownership.previous);
    ownership.record({ guardian: null, socketDir: null });
    const cluster = await prepareCluster({ dataDir, binaries, user, durable: true });
    return await runServer({ options, binaries, user, dataDir, cluster, ownership });
  } catch (error) {
    ownership.release();
    throw error;
  }
}

async function startEphemeral(options: EmbeddedPostgresOptions, binaries: PostgresBinaries): Promise<EmbeddedPostgres> {
  const dataDir = mkdtempSync(join(realpathSync(tmpdir()), 'tributary-data-'));
  try {
    const user = resolveDatabaseUser(join(dataDir, '..'), binaries.postgres);
    user.takeOver(dataDir);
    const cluster = await prepareCluster({ dataDir, binaries, user, durable: false });
    return await runServer({ options, binaries, user, dataDir, cluster, ownership: null });
  } catch (error) {
    rmSync(dataDir, { recursive: true, force: true });
    throw error;
  }
}

interface ServerRun {
  readonly options: EmbeddedPostgresOptions;
  readonly binaries: PostgresBinaries;
  readonly user: ReturnType<typeof resolveDatabaseUser>;
  readonly dataDir: string;
  readonly cluster: string;
  /** Null for an ephemeral cluster, which nobody else can find. */
  readonly ownership: Ownership | null;
}

async function runServer(run: ServerRun): Promise<EmbeddedPostgres> {
  const socket = createSocketFolder(run.user);
  const guardian = spawnGuardian();
  // Before the order, so that a successor knows whom to wait for from the first moment of the server.
  run.ownership?.record({ guardian: guardian.identity, socketDir: socket.path });
  const removeAfter = run.ownership === null ? [socket.path, run.dataDir] : [socket.path];
  let isClean = false;
  const cleanUp = (): void => {
    // A stop may follow a loss, and by then the data folder may have another owner.
    if (isClean) return;
    isClean = true;
    removeSocketFolder(socket.path);
    if (run.ownership === null) rmSync(run.dataDir, { recursive: true, force: true });
    run.ownership?.release();
  };
  const { settings = {}, ephemeral = false, onLoss } = run.options;
  const args = serverArguments({ cluster: run.cluster, socket, binaries: run.binaries, ephemeral, settings });
  try {
    const command = run.user.command(run.binaries.postgres, args);
    await guardian.start({ command, cluster: run.cluster, logFile: join(run.dataDir, 'postgres.log'), removeAfter });
  } catch (error) {
    await guardian.stop();
    removeSocketFolder(socket.path);
    throw error;
  }
  run.ownership?.record({ host: socket.path });
  const stop = onceStopped(guardian, cleanUp);
  guardian.onLoss((reason) => {
    cleanUp();
    onLoss?.(new EmbeddedPostgresError(`The embedded Postgres ended: ${reason}. Start again to recover.`));
  });
  return { ...describeServer(socket.path, process.pid), stop };
}

function onceStopped(guardian: Guardian, cleanUp: () => void): () => Promise<void> {
  let stopped: Promise<void> | null = null;
  return () => {
    stopped ??= guardian.stop().then(cleanUp);
    return stopped;
  };
}

function describeServer(host: string, ownerPid: number): JoinedPostgres {
  const connection = { host, port: DATABASE_PORT, user: DATABASE_USER, database: DATABASE_NAME };
  const url = `postgresql://${DATABASE_USER}@${encodeURIComponent(host)}:${DATABASE_PORT}/${DATABASE_NAME}`;
  return { connection, url, ownerPid };
}

function openDataDir(path: string): string {
  const absolute = resolve(path);
  try {
    mkdirSync(absolute, { recursive: true });
    return realpathSync(absolute);
  } catch (error) {
    throw new EmbeddedPostgresError(
      `Cannot make the data folder ${absolute} (${faultCode(error)}): make it writable for this user, or set DATABASE_URL.`,
    );
  }
}

function checkWritable(dataDir: string): void {
  try {
    accessSync(dataDir, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new EmbeddedPostgresError(
      `Cannot write to the data folder ${dataDir} (${faultCode(error)}): make it writable for this user, or set DATABASE_URL.`,
    );
  }
}
