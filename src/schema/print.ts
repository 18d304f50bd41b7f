import { readFile, writeFile } from 'node:fs/promises';
import { lexicographicSortSchema, printSchema } from 'graphql';
import { schema } from './index.ts';

/** `npm run schema` writes schema.graphql; with --check it only compares. */
const path = new URL('../../schema.graphql', import.meta.url);
const printed = `${printSchema(lexicographicSortSchema(schema))}\n`;

if (process.argv.includes('--check')) {
  if ((await readFile(path, 'utf8').catch(() => '')) !== printed) {
    console.error('schema.graphql is not what the code says: run `npm run schema` and commit it');
    process.exitCode = 1;
  }
} else {
  await writeFile(path, printed);
}
