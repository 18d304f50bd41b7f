import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A name for the code of a folder: 11 characters that any change of a TypeScript file in it changes, tests left out. Takes
 * 15 to 50 ms for this server.
 */
export function codeHashOf(directory: string): string {
  const paths = readdirSync(directory, { recursive: true, encoding: 'utf8' });
  const hash = createHash('sha256');
  for (const path of paths.filter((each) => /(?<!\.test)\.ts$/.test(each)).sort()) {
    const content = readFileSync(join(directory, path));
    hash.update(`${path} ${content.length}\n`).update(content);
  }
  return hash.digest('base64url').slice(0, 11);
}
