import { z } from 'zod';
import type { OperationCounts } from './operation-counts.ts';

export type CountedFigure = 'promises' | 'calls' | 'characters' | 'allocatedBytes';

const counts = z.strictObject({
  statements: z.record(z.string(), z.int().positive()),
  promises: z.int().nonnegative(),
  calls: z.int().nonnegative(),
  characters: z.int().nonnegative(),
  allocatedBytes: z.int().nonnegative(),
});
const form = z.strictObject({
  /** The version that the figures are of: another one calls other functions of its own. */
  node: z.string(),
  /** By how much a figure may grow, as a share of it; statements may not. */
  tolerances: z.strictObject({
    promises: z.number().positive(),
    calls: z.number().positive(),
    characters: z.number().positive(),
    allocatedBytes: z.number().positive(),
  }),
  operations: z.record(z.string(), counts),
});

/** What stands in bench/counts.json. */
export type ExpectedCounts = z.infer<typeof form>;

export interface CountDifference {
  operation: string;
  figure: string;
  /** null: the operation is new. */
  before: number | null;
  after: number;
  /** Beyond the tolerance: else it has shrunk by more than that, or is new. */
  hasGrown: boolean;
}

const figures: readonly CountedFigure[] = ['promises', 'calls', 'characters', 'allocatedBytes'];
/** What the counting itself makes of figures as small as those of an answer from the cache. */
const least: Readonly<Record<CountedFigure, number>> = {
  promises: 1,
  calls: 20,
  characters: 5_000,
  allocatedBytes: 3_000,
};

/** @throws when the text is none of these, by what is wrong with it */
export function parseExpectedCounts(text: string): ExpectedCounts {
  const parsed = form.safeParse(JSON.parse(text));
  if (!parsed.success) throw new Error(`bench/counts.json: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/** Operation by operation, in the order of what was measured; empty when all is as expected. */
export function compareCounts(
  { operations, tolerances }: ExpectedCounts,
  measured: ReadonlyMap<string, OperationCounts>,
): CountDifference[] {
  return [...measured].flatMap(([operation, after]) => {
    const before = operations[operation];
    if (before === undefined) {
      return [{ operation, figure: 'all', before: null, after: sumOf(after.statements), hasGrown: false }];
    }
    const differences = compareStatements(operation, before.statements, after.statements);
    for (const figure of figures) {
      const allowed = Math.max(before[figure] * tolerances[figure], least[figure]);
      const growth = after[figure] - before[figure];
      if (!(Math.abs(growth) <= allowed)) {
        differences.push({ operation, figure, before: before[figure], after: after[figure], hasGrown: !(growth <= 0) });
      }
    }
    return differences;
  });
}

/** By name, so that the statement that came is named. */
function compareStatements(
  operation: string,
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>>,
): CountDifference[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  const differences = names
    .filter((name) => (before[name] ?? 0) !== (after[name] ?? 0))
    .map((name) => {
      const [from, to] = [before[name] ?? 0, after[name] ?? 0];
      return { operation, figure: `statement ${name}`, before: from, after: to, hasGrown: to > from };
    });
  // One in the place of another is a change, but no more work for the database that could be seen here.
  const isMore = sumOf(after) > sumOf(before);
  return differences.map((difference) => ({ ...difference, hasGrown: difference.hasGrown && isMore }));
}

function sumOf(statements: Readonly<Record<string, number>>): number {
  return Object.values(statements).reduce((sum, count) => sum + count, 0);
}
