import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type Profiler, Session } from 'node:inspector';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { countCharacters, sumExecutedSource } from './executed-source.ts';

const folder = mkdtempSync(join(tmpdir(), 'tributary-executed-source-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('spaces and comments are no characters, what looks like them in a string is', () => {
  const last = (source: string) => countCharacters(source).at(-1);
  expect(last('let a = 1; // one\n')).toBe('leta=1;'.length);
  expect(last('/* a\n * b */ let a')).toBe('leta'.length);
  expect(last("f('// a');")).toBe("f('// a');".length);
  expect(last('f(`/* a #{b} */`);')).toBe('f(`/* a #{b} */`);'.length);
  expect([...countCharacters('a b')]).toEqual([0, 1, 1, 2]);
});

test('a loop that runs twice as often takes twice the characters, and no more calls', () => {
  const source = 'exports.sum = (n) => { let s = 0; for (let i = 0; i < n; i += 1) { s += i; } return s; };';
  const [short, long] = [run(source, 1_000), run(source, 2_000)];
  expect(long.calls).toBe(short.calls);
  const body = 's+=i;'.length;
  expect(long.characters - short.characters).toBeGreaterThanOrEqual(1_000 * body);
  expect(long.characters / short.characters).toBeCloseTo(2, 1);
});

test('a comment in what runs changes nothing', () => {
  const plain = run('exports.sum = (n) => { let s = 0; while (s < n) { s += 1; } return s; };', 500);
  const explained = run(
    'exports.sum = (n) => { let s = 0; while (s < n) {\n // one more\n s += 1; } return s; };',
    500,
  );
  expect(explained).toEqual(plain);
});

test('of nested blocks each has its own count', () => {
  const range = (startOffset: number, endOffset: number, count: number) => ({ startOffset, endOffset, count });
  const script = (ranges: Profiler.CoverageRange[]) => [
    { scriptId: '1', url: 'node:some', functions: [{ functionName: 'f', isBlockCoverage: true, ranges }] },
  ];
  expect(sumExecutedSource(script([range(0, 100, 2), range(10, 60, 5), range(20, 30, 0), range(70, 80, 1)]))).toEqual({
    calls: 2,
    characters: 40 * 2 + 40 * 5 + 10 * 1,
  });
  expect(sumExecutedSource(script([range(0, 100, 2)]), (url) => !url.startsWith('node:'))).toEqual({
    calls: 0,
    characters: 0,
  });
});

const require = createRequire(import.meta.url);
let files = 0;

/** What one call of `sum` takes of a module with this source. */
function run(source: string, argument: number) {
  files += 1;
  const file = join(folder, `${files}.cjs`);
  writeFileSync(file, source);
  const { href } = pathToFileURL(file);
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  try {
    const { sum } = require(file) as { sum(n: number): number };
    take(session);
    sum(argument);
    return sumExecutedSource(take(session), (url) => url === href);
  } finally {
    session.disconnect();
  }
}

function take(session: Session): Profiler.ScriptCoverage[] {
  let scripts: Profiler.ScriptCoverage[] = [];
  session.post('Profiler.takePreciseCoverage', (_error, { result }) => {
    scripts = result;
  });
  return scripts;
}
