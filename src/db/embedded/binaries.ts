import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { EmbeddedPostgresError } from './embedded-postgres-error.ts';

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
  /** Whether a module such as pg_stat_statements comes with the binaries. */
  hasModule(name: string): boolean;
}

/** Finds the Postgres binaries that npm installed for this platform. */
export async function findPostgresBinaries(): Promise<PostgresBinaries> {
  if (process.platform === 'win32') {
    throw new EmbeddedPostgresError(
      'The embedded Postgres needs Unix sockets, which Windows lacks: set DATABASE_URL to a Postgres of yours, or use WSL.',
    );
  }
  const packageName = `@embedded-postgres/${process.platform}-${process.arch}`;
  const { initdb, postgres } = await importPaths(packageName);
  const modules = join(dirname(postgres), '..', 'lib', 'postgresql');
  const extension = process.platform === 'darwin' ? 'dylib' : 'so';
  return { initdb, postgres, hasModule: (name) => existsSync(join(modules, `${name}.${extension}`)) };
}

async function importPaths(packageName: string): Promise<{ initdb: string; postgres: string }> {
  let paths: { initdb: string; postgres: string };
  try {
    paths = await import(packageName);
  } catch {
    throw new EmbeddedPostgresError(
      `No embedded Postgres for ${process.platform}-${process.arch}: the package ${packageName} is not installed. ` +
        'Run npm install, or set DATABASE_URL to a Postgres of yours.',
    );
  }
  if (existsSync(paths.postgres)) return paths;
  throw new EmbeddedPostgresError(`The package ${packageName} is incomplete (no ${paths.postgres}): run npm ci again.`);
}
