import { existsSync, globSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { PostgresBinaries } from '../db/embedded/binaries.ts';

/** Where distributions put their servers, and where their extensions are then. */
const places = [
  {
    bin: '/usr/lib/postgresql/*/bin',
    extensions: (bin: string) => bin.replace(/lib(\/postgresql\/\d+)\/bin$/, 'share$1/extension'),
  },
  { bin: '/usr/pgsql-*/bin', extensions: (bin: string) => join(dirname(bin), 'share/extension') },
  { bin: '/usr/local/pgsql/bin', extensions: (bin: string) => join(dirname(bin), 'share/extension') },
];

/** The binaries of an installed Postgres with pgvector; null, and a word why tests are skipped, when there is none. */
export function findPgvectorBinaries(): PostgresBinaries | null {
  for (const { bin: pattern, extensions } of places) {
    for (const bin of globSync(pattern).sort().reverse()) {
      const hasExtension = existsSync(join(extensions(bin), 'vector.control'));
      if (!hasExtension || !existsSync(join(bin, 'initdb'))) continue;
      return { initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres'), hasModule: () => false };
    }
  }
  console.warn('Tests with pgvector are skipped: no installed Postgres has the extension "vector"');
  return null;
}
