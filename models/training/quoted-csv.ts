/** Rows of a CSV text whose fields may be quoted: a quoted field may hold commas, line ends and doubled quotes. */

// A field, quoted or plain, and what ends it; sticky, so that every character belongs to one match.
const fieldPattern = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y;

/** Cells of each row; empty lines are left out. Throws an Error that names the line of a broken field. */
export function parseQuotedCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  fieldPattern.lastIndex = 0;
  while (fieldPattern.lastIndex < text.length || row.length > 0) {
    const from = fieldPattern.lastIndex;
    const match = fieldPattern.exec(text);
    if (match === null)
      throw new Error(`line ${text.slice(0, from).split('\n').length}: expected a quoted or plain field`);
    const [, quoted, plain, end] = match;
    row.push(quoted?.replaceAll('""', '"') ?? plain!);
    if (end === ',') continue;
    if (row.length > 1 || row[0] !== '') rows.push(row);
    row = [];
  }
  return rows;
}
