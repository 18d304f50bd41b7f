import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';

const moduleUrl = new URL('./garbage-collection.ts', import.meta.url).href;

/** What V8 says of a script in a process of its own. */
function trace(flag: string, isTuned: boolean, script: string): string {
  const tune = isTuned ? `import { tuneGarbageCollection } from '${moduleUrl}'; tuneGarbageCollection();` : '';
  // As on a machine with memory for it, whatever this one has: how the heap grows depends on how far it may.
  const options = [flag, '--max-old-space-size=4096', '--expose-gc', '--input-type=module', '-e', `${tune} ${script}`];
  return execFileSync(process.execPath, options, { encoding: 'utf8', maxBuffer: 2 ** 26 });
}

test('objects are never made among what is old, however many of their kind lived', () => {
  const burst = 'const rows = []; for (let id = 0; id < 400_000; id++) rows.push({ id, parts: [id] }); rows.at(0);';
  expect(trace('--trace-pretenuring-statistics', true, burst)).not.toContain('tenure');
  // Without it they would be: this is how V8 says so.
  expect(trace('--trace-pretenuring-statistics', false, burst)).toContain('maybe tenure');
});

test('what is old is collected when it has grown by half', () => {
  const script = `const living = Array.from({ length: 400_000 }, (_, n) => new Array(20).fill(n)); gc(); gc(); living.at(0);`;
  /** Of the last full collection: at how many times what lives the next one comes. */
  const growth = (isTuned: boolean) => {
    const last = trace('--trace-gc-nvp', isTuned, script)
      .trim()
      .split('\n')
      .findLast((line) => line.includes('"gc":"mc"'))!;
    const figure = (name: string) => Number(new RegExp(`"${name}":(\\d+)`).exec(last)![1]);
    return figure('old_gen_allocation_limit') / figure('end_object_size');
  };
  expect(growth(true)).toBeLessThan(2);
  expect(growth(false)).toBeGreaterThan(3);
});
