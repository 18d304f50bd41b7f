/** What the command line prints: tables and progress. */
import { SingleBar } from 'cli-progress';

/** Prints rows under a header, columns aligned: text to the left, numbers to the right. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]!.length)));
  const isNumber = header.map((_, column) => rows.every((row) => /^[-\d.]*( %)?$/.test(row[column]!)));
  const line = (cells: readonly string[]) => {
    const padded = cells.map((cell, i) => (isNumber[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)));
    return padded.join('  ').trimEnd();
  };
  return [line(header), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(line)].join('\n');
}

/**
 * Shows progress from 0 to 1 on stderr: a bar on a terminal, otherwise a line every tenth. Call `stop` at the end.
 */
export function createProgress(label: string): { update(share: number): void; stop(): void } {
  if (process.stderr.isTTY) {
    const bar = new SingleBar({
      format: `${label} {bar} {percentage} %  {duration_formatted}`,
      stream: process.stderr,
    });
    bar.start(1, 0);
    return { update: (share) => bar.update(share), stop: () => bar.stop() };
  }
  let shown = 0;
  const update = (share: number) => {
    const tenths = Math.floor(share * 10);
    if (tenths <= shown) return;
    shown = tenths;
    process.stderr.write(`${label} ${tenths * 10} %\n`);
  };
  return { update, stop: () => undefined };
}
