import { chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { DatabaseUser } from './database-user.ts';
import { EmbeddedPostgresError, faultCode } from './embedded-postgres-error.ts';

/** The port in the name of the socket; nothing listens on TCP. */
export const DATABASE_PORT = 5432;

const PREFIX = 'tributary-';
// sun_path holds 104 bytes on macOS and 108 on Linux, with the closing NUL.
const PATH_LIMIT_BYTES = 103;

export interface SocketFolder {
  readonly path: string;
  /** The folder as a value of unix_socket_directories. */
  readonly setting: string;
}

/** A fresh folder that only the user of the database may enter. */
export function createSocketFolder(user: DatabaseUser): SocketFolder {
  const faults: string[] = [];
  for (const parent of new Set([tmpdir(), '/tmp'])) {
    const longest = Buffer.byteLength(join(parent, `${PREFIX}XXXXXX`, `.s.PGSQL.${DATABASE_PORT}`));
    const fault = longest > PATH_LIMIT_BYTES ? 'the path is too long for a socket' : user.cannotEnter(parent);
    if (fault !== null) {
      faults.push(`${parent}: ${fault}`);
      continue;
    }
    try {
      return makeFolder(parent, user);
    } catch (error) {
      faults.push(`${parent}: ${faultCode(error)}`);
    }
  }
  throw new EmbeddedPostgresError(
    `No folder for the database socket (${faults.join('; ')}): set TMPDIR to a short path that can be written, or set DATABASE_URL.`,
  );
}

/** Removes a socket folder that an ended server left; anything else is left alone. */
export function removeSocketFolder(path: string): void {
  if (basename(path).startsWith(PREFIX)) rmSync(path, { recursive: true, force: true });
}

function makeFolder(parent: string, user: DatabaseUser): SocketFolder {
  const path = mkdtempSync(join(parent, PREFIX));
  if (process.getuid?.() === 0) chownSync(path, user.uid, user.gid);
  return { path, setting: `"${path.replaceAll('"', '""')}"` };
}
