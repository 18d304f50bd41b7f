import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { codeHashOf } from './code-hash.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'code-hash-'));
});

afterEach(() => rmSync(directory, { recursive: true }));

const write = (name: string, content: string) => writeFileSync(join(directory, name), content);

test('code is named by its files, their names and what is in them, and not by its tests', () => {
  write('b.ts', 'two');
  write('a.ts', 'one');
  const first = codeHashOf(directory);
  expect(first).toMatch(/^[\w-]{11}$/);
  write('a.test.ts', 'a test');
  write('notes.md', 'words');
  expect(codeHashOf(directory)).toBe(first);
  const others = new Set([first]);
  for (const change of [() => write('a.ts', 'One'), () => write('c.ts', ''), () => rmSync(join(directory, 'b.ts'))]) {
    change();
    others.add(codeHashOf(directory));
  }
  expect(others.size).toBe(4);
});
