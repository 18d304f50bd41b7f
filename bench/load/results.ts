import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Writes a result as JSON into a folder, which is made. */
export function keepResult(folder: string, name: string, result: object): void {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${name}.json`);
  writeFileSync(file, `${JSON.stringify({ startedAt: new Date().toISOString(), ...result }, null, 1)}\n`);
  console.log(`\n${file}`);
}
