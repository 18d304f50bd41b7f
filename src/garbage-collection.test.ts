import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';

const moduleUrl = new URL('./garbage-collection.ts', import.meta.url).href;

/** What V8 says of a script in a process of its own; untuned without options. */
function trace(flag: string, script: string, options?: { keepsAnswers: boolean }): string {
  const tune = `import { tuneGarbageCollection } from '${moduleUrl}'; tuneGarbageCollection(${JSON.stringify(options)});`;
  const code = options ? `${tune} ${script}` : script;
  // As on a machine with memory for it, whatever this one has: how the heap grows depends on how far it may.
  const flags = [flag, '--max-old-space-size=4096', '--expose-gc', '--input-type=module', '-e', code];
  return execFileSync(process.execPath, flags, { encoding: 'utf8', maxBuffer: 2 ** 26 });
}

test('objects are never made among what is old, however many of their kind lived', () => {
  const burst = 'const rows = []; for (let id = 0; id < 400_000; id++) rows.push({ id, parts: [id] }); rows.at(0);';
  expect(trace('--trace-pretenuring-statistics', burst, { keepsAnswers: true })).not.toContain('tenure');
  // Without it they would be: this is how V8 says so.
  expect(trace('--trace-pretenuring-statistics', burst)).toContain('maybe tenure');
});

test('what is old is collected when it has doubled, and sooner where answers are kept', () => {
  const script = `const living = Array.from({ length: 400_000 }, (_, n) => new Array(20).fill(n)); gc(); gc(); living.at(0);`;
  /** Of the last full collection: at how many times what lives the next one comes. */
  const growth = (options?: { keepsAnswers: boolean }) => {
    const last = trace('--trace-gc-nvp', script, options)
      .trim()
      .split('\n')
      .findLast((line) => line.includes('"gc":"mc"'))!;
    const figure = (name: string) => Number(new RegExp(`"${name}":(\\d+)`).exec(last)![1]);
    return figure('old_gen_allocation_limit') / figure('end_object_size');
  };
  // V8 adds the young generation: 1.7, 2.4 and 4.2 when written.
  expect(growth({ keepsAnswers: true })).toBeLessThan(1.8);
  const withoutAnswers = growth({ keepsAnswers: false });
  expect(withoutAnswers).toBeGreaterThan(2);
  expect(withoutAnswers).toBeLessThan(2.6);
  expect(growth()).toBeGreaterThan(3);
});
