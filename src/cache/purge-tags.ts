/** What an operator names for a purge, as the change that has the same effect. */
import { rowsAspect } from '../db/footprint.ts';
import { StartupError } from '../errors.ts';
import type { Change } from './invalidation-log.ts';

const tagForm = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})?\/([a-z_]+)(\.\*|\.[a-z_]+=.+)?$/;
const patternForm = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\*)\/([a-z_]+|)\*?$/;

/**
 * The change for a tag (`ORGANIZATION/table` of lists and whole tables, `ORGANIZATION/table.column=value` of the lists and
 * objects that have such a row, `/table` of all organizations) or a
 * pattern: `ORGANIZATION/table*` is whatever was made of the table, `ORGANIZATION/*` of all tables, `*` + `/table` of all
 * organizations. Any other pattern is everything.
 * @throws StartupError for what is neither, or a table that is none of `tables`
 */
export function changeOfPurge(text: string, tables: readonly string[]): Change {
  const tag = tagForm.exec(text);
  if (tag) {
    const [, organization, table, rows] = tag;
    checkTable(table!, tables);
    return organization && rows === undefined ? [text, `${text}:${rowsAspect}`] : [text];
  }
  if (!text.includes('*')) {
    throw new StartupError(
      `${text}: expected ORGANIZATION/table, ORGANIZATION/table.column=value or /table, with the id of the organization as in the database, or a pattern such as ORGANIZATION/table*`,
    );
  }
  const pattern = patternForm.exec(text);
  if (!pattern) return 'all';
  const [, organization, table] = pattern as unknown as [string, string, string];
  if (table === '') return organization === '*' ? 'all' : tables.flatMap((each) => tagsOfTable(organization, each));
  checkTable(table, tables);
  return organization === '*' ? [`/${table}`] : tagsOfTable(organization, table);
}

/** Whoever reads the table has one of them: read whole, or some rows, also of lists. */
function tagsOfTable(organization: string, table: string): string[] {
  return [`${organization}/${table}`, `${organization}/${table}.*`];
}

function checkTable(table: string, tables: readonly string[]): void {
  if (tables.includes(table)) return;
  throw new StartupError(`${table} is no table: expected one of ${[...tables].sort().join(', ')}`);
}
