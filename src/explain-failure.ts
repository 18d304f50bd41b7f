import { type Config, readConfig } from './config.ts';
import { StartupError } from './errors.ts';

const expected = ['MigrationError', 'EmbeddedPostgresError', 'GraphQLError'];

/** For a person at a terminal: one line for what that person can mend, the stack for a fault of ours. */
export function explainFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, message } = error as NodeJS.ErrnoException;
  if (error instanceof StartupError || expected.includes(error.name)) return message;
  if (code === 'ECONNREFUSED' || code === 'ENOTFOUND') return `DATABASE_URL: nobody answers there (${message})`;
  if (code === '42P01') return 'The database has no tables yet: npm start makes them';
  if (error.name === 'PostgresError') return `the database refused: ${message}`;
  return error.stack ?? message;
}

/** As explainFailure, for a server that could not listen. */
export function explainStart(error: unknown, { host, port }: Pick<Config, 'host' | 'port'>): string {
  const isTaken = (error as NodeJS.ErrnoException | null)?.code === 'EADDRINUSE';
  return isTaken ? `PORT ${port} on ${host} is taken: stop what uses it, or set PORT` : explainFailure(error);
}

/** Settings come before anything is made, so a wrong one ends the process with nothing to end but itself. */
export function readConfigOrExit(serves: 'graphql' | 'models'): Config {
  try {
    return readConfig(undefined, serves);
  } catch (error) {
    if (!(error instanceof StartupError)) throw error;
    console.error(error.message);
    process.exit(1);
  }
}
