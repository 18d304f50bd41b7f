import type { Logger } from 'pino';
import type { Config } from './config.ts';
import { migrate } from './db/migrate.ts';
import {
  type DatabaseServer,
  type DatabaseServerOptions,
  followDatabaseServer,
  openDatabaseServer,
} from './db/server.ts';
import type { Shutdown } from './shutdown.ts';

interface Process {
  config: Config;
  log: Logger;
  shutdown: Shutdown;
}

/**
 * The database server of the settings, migrated; the embedded one ends with this process.
 * @throws what explain-failure.ts knows how to say
 */
export async function openMigratedDatabase({ config, log, shutdown }: Process): Promise<DatabaseServer> {
  const server = await openDatabaseServer(optionsOf({ config, log }));
  shutdown.onEnd(() => server.stop());
  log.info(`database: ${server.description}`);
  await migrate(server.connection);
  return server;
}

/** The one that the primary of this process has opened. */
export function joinDatabase(given: Pick<Process, 'config' | 'log'>): Promise<DatabaseServer> {
  return followDatabaseServer(optionsOf(given));
}

function optionsOf({ config, log }: Pick<Process, 'config' | 'log'>): DatabaseServerOptions {
  return {
    ...config,
    purpose: 'npm start',
    isRestarted: true,
    onLoss: (error) => log.error({ err: error }, 'the embedded Postgres ended, and is started again'),
  };
}
