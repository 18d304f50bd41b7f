/** `npm run bench -- --compare main`, or `--compare FILE.json`. */
import type { SuiteOptions } from '../suite/cli.ts';
import { benchCompareKept } from './compare-kept.ts';
import { compareTrees } from './compare-trees.ts';
import { reportFigures } from './compared-figure.ts';
import { hasSamePackages, openOtherTree } from './other-tree.ts';

export interface CompareOptions extends Omit<SuiteOptions, 'out'> {
  /** Of both servers, for another version. */
  readonly starts: number;
}

/** Logarithm: a change by less than 2 % is none. */
const ignored = 0.02;
/** In each start. */
const rounds = 6;
const connections = 32;

/**
 * Prints how this working tree's figures differ from another version's; one that is worse by more than the noise fails the
 * process at its end.
 * @param version a branch, tag or commit, or the .json file of a kept result
 * @throws StartupError when it is none of these
 */
export async function benchCompare(version: string, options: CompareOptions): Promise<void> {
  if (version.endsWith('.json')) await benchCompareKept(version, options);
  else await benchCompareTrees(version, options);
}

async function benchCompareTrees(ref: string, { starts, ...options }: CompareOptions): Promise<void> {
  const other = openOtherTree(ref);
  try {
    if (!hasSamePackages(other)) console.log(`${ref} has other packages; both versions run with those of this one`);
    console.log(`this working tree against ${ref} (${other.commit}), ${starts} starts of both servers`);
    const figures = await compareTrees(other.root, { ...options, starts, rounds, connections });
    if (!reportFigures(figures, { isPaired: true, ignored })) process.exitCode = 1;
  } finally {
    other.remove();
  }
}
