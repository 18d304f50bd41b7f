import type { ChildProcess } from 'node:child_process';

const pending = new Set<() => void>();
// One listener for all: node warns of more than ten.
process.once('exit', () => {
  for (const undo of [...pending].reverse()) undo();
});

/**
 * Has something undone when the process ends before it was, as by Ctrl-C: children that are killed, folders that are removed.
 * @param undo nothing in it may wait
 * @returns cancels that, when it was undone in time
 */
export function undoAtExit(undo: () => void): () => void {
  pending.add(undo);
  return () => pending.delete(undo);
}

/** Kills a child when this process ends before it. */
export function killAtExit(child: ChildProcess): void {
  child.once(
    'exit',
    undoAtExit(() => child.kill('SIGKILL')),
  );
}
