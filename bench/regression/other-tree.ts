import { execFileSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StartupError } from '../../src/errors.ts';
import { undoAtExit } from '../../src/testing/undo-at-exit.ts';

/** Another version of this project in a folder of its own. */
export interface OtherTree {
  readonly root: string;
  /** In short. */
  readonly commit: string;
  remove(): void;
}

/**
 * Checks a branch, a tag or a commit out into a temporary folder; it uses the packages of this one.
 * @throws StartupError when git knows no such commit
 */
export function openOtherTree(ref: string): OtherTree {
  const commit = findCommit(ref);
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'tributary-other-'));
  const root = join(folder, 'tree');
  git('worktree', 'add', '--detach', root, commit);
  symlinkSync(realpathSync('node_modules'), join(root, 'node_modules'));
  const remove = () => {
    git('worktree', 'remove', '--force', root);
    rmSync(folder, { recursive: true });
  };
  const cancelUndo = undoAtExit(remove);
  return {
    root,
    commit,
    remove() {
      remove();
      cancelUndo();
    },
  };
}

/** Whether its package-lock.json is this one's. */
export function hasSamePackages({ commit }: OtherTree): boolean {
  return git('diff', '--name-only', commit, '--', 'package-lock.json') === '';
}

function findCommit(ref: string): string {
  try {
    return git('rev-parse', '--short', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`);
  } catch {
    throw new StartupError(
      `--compare ${ref}: expected a branch, a tag or a commit of git, or the .json file of a kept result`,
    );
  }
}

function git(...args: string[]): string {
  return execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
}
