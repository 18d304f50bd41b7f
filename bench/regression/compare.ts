/** `npm run bench -- --compare main`, or `--compare FILE.json`. */
import { type CompareTreesOptions, compareTrees } from './compare-trees.ts';
import { reportFigures } from './compared-figure.ts';
import { hasSamePackages, openOtherTree } from './other-tree.ts';

/** Logarithm: a change by less than 2 % is none. */
const ignored = 0.02;

/**
 * Prints how this working tree's figures differ from another version's; one that is worse by more than the noise fails the
 * process at its end.
 * @param ref a branch, tag or commit
 */
export async function benchCompareTrees(ref: string, options: CompareTreesOptions): Promise<void> {
  const other = openOtherTree(ref);
  try {
    if (!hasSamePackages(other)) console.log(`${ref} has other packages; both versions run with those of this one`);
    console.log(`this working tree against ${ref} (${other.commit}), ${options.starts} starts of both`);
    const figures = await compareTrees(other.root, options);
    if (!reportFigures(figures, { isPaired: true, ignored })) process.exitCode = 1;
  } finally {
    other.remove();
  }
}
