import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
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

test('"npm start" keeps the young generation small, however much of it lives', () => {
  const script = `import { getHeapSpaceStatistics } from 'node:v8';
    const living = [];
    for (let made = 0; made < 5_000_000; made++) living[made % 50_000] = { made, parts: [made] };
    const { space_size } = getHeapSpaceStatistics().find((space) => space.space_name === 'new_space');
    console.log(living.length && space_size / 2 ** 20);`;
  const sizeMib = (flags: readonly string[]) =>
    Number(execFileSync(process.execPath, [...flags, '--input-type=module', '-e', script], { encoding: 'utf8' }));
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: { start: string } };
  expect(sizeMib(scripts.start.split(' ').filter((word) => word.startsWith('--')))).toBeLessThanOrEqual(32);
  expect(sizeMib([])).toBeGreaterThan(32);
});
