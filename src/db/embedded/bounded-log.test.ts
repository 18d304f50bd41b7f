import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BoundedLog } from './bounded-log.ts';

test('a log keeps the newest lines in two files of limited size, across restarts', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bounded-log-'));
  const path = join(folder, 'postgres.log');
  try {
    for (let run = 0; run < 3; run += 1) {
      const log = new BoundedLog(path, 1_000);
      for (let line = 0; line < 100; line += 1) log.write(Buffer.from(`run ${run} line ${line} ${'x'.repeat(20)}\n`));
      expect(log.tail()).toMatch(new RegExp(`run ${run} line 99 x+\n$`));
    }
    expect(readdirSync(folder).sort()).toEqual(['postgres.log', 'postgres.log.1']);
    for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).size).toBeLessThan(1_100);
    const kept = readFileSync(`${path}.1`, 'utf8') + readFileSync(path, 'utf8');
    expect(kept).toContain('run 2 line 99');
    expect(kept).toContain('run 2 line 70');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
