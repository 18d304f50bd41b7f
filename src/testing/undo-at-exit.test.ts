import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isRunning } from './is-running.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tributary-exit-'));
});

afterAll(() => rmSync(folder, { recursive: true }));

/** Runs a program that ends early, and answers what it printed. */
function runProgram(body: string): string {
  const module = new URL('undo-at-exit.ts', import.meta.url).href;
  const source = `
    import { spawn } from 'node:child_process';
    import { mkdirSync, rmdirSync } from 'node:fs';
    import { killAtExit, undoAtExit } from '${module}';
    ${body}`;
  return execFileSync(process.execPath, ['--input-type=module', '--eval', source], { encoding: 'utf8' });
}

test('a process that ends early kills its children and removes what it made, the latest first', async () => {
  const [outer, inner] = [join(folder, 'outer'), join(folder, 'outer', 'inner')];
  const pid = runProgram(`
    for (const made of ${JSON.stringify([outer, inner])}) {
      mkdirSync(made);
      undoAtExit(() => rmdirSync(made));
    }
    const child = spawn('sleep', ['60'], { stdio: 'ignore' });
    killAtExit(child);
    console.log(child.pid);
    process.exit();`);
  await expect.poll(() => isRunning(Number(pid))).toBe(false);
  expect(existsSync(outer)).toBe(false);
});

test('what was undone already is left alone', () => {
  const kept = join(folder, 'kept');
  runProgram(`
    mkdirSync(${JSON.stringify(kept)});
    undoAtExit(() => rmdirSync(${JSON.stringify(kept)}))();`);
  expect(existsSync(kept)).toBe(true);
});
