import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { RowOutput } from '../../src/inference/engine.ts';
import { scanModelRepository } from '../../src/inference/repository.ts';
import { createWorkerEngine } from '../../src/inference/worker-engine.ts';
import { maxDifference, openSession, runSession } from './artifact.ts';
import { encoderOutputName, generateEncoder, miniLmL6, smallEncoder, writeEncoderVersion } from './heavy-model.ts';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const lengthOf = (vector: Float32Array) => Math.hypot(...vector);

function idsOf(row: number, length: number, vocabulary: number): Int32Array {
  return Int32Array.from({ length }, (_, at) => 1 + ((row * 7_919 + at * 104_729) % (vocabulary - 1)));
}

/** Rows padded with 0 to the longest. */
function batchOf(rows: readonly Int32Array[]) {
  const width = Math.max(...rows.map((row) => row.length));
  const data = new Int32Array(rows.length * width);
  for (const [at, row] of rows.entries()) data.set(row, at * width);
  return { type: 'int32', data, shape: [rows.length, width] } as const;
}

describe('the heavy reference model', () => {
  test('has the size of MiniLM-L6, and the same bytes each time', () => {
    const bytes = generateEncoder(miniLmL6, 42);
    expect(bytes.length / 4e6).toBeCloseTo(22.6, 1);
    expect(sha256(generateEncoder(miniLmL6, 42))).toBe(sha256(bytes));
  });

  test('gives a row the same unit vector alone as beside seven longer ones', async () => {
    const session = await openSession(generateEncoder(miniLmL6, 42));
    const rows = Array.from({ length: 8 }, (_, row) => idsOf(row, 5 + 4 * row, miniLmL6.vocabulary));
    const together = await runSession(session, batchOf(rows));
    for (const [at, row] of rows.entries()) {
      const vector = together.subarray(at * miniLmL6.hidden, (at + 1) * miniLmL6.hidden);
      expect(lengthOf(vector)).toBeCloseTo(1, 5);
      expect(maxDifference(vector, await runSession(session, batchOf([row])))).toBeLessThanOrEqual(1e-5);
    }
    const [first, second] = [together.subarray(0, miniLmL6.hidden), together.subarray(miniLmL6.hidden).slice(0, 384)];
    expect(maxDifference(first, second)).toBeGreaterThan(1e-2);
    await session.release();
  });
});

describe('generateEncoder', () => {
  test('makes other weights from another seed', () => {
    expect(sha256(generateEncoder(smallEncoder, 1))).not.toBe(sha256(generateEncoder(smallEncoder, 2)));
  });

  test('answers zeros for a row of padding alone', async () => {
    const session = await openSession(generateEncoder(smallEncoder, 1));
    const [vector] = [await runSession(session, batchOf([new Int32Array(3)]))];
    expect(maxDifference(vector, new Float32Array(smallEncoder.hidden))).toBe(0);
    await session.release();
  });
});

test('a written version is loaded and run by the engine', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'encoder '));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  writeEncoderVersion(directory, { name: 'encoder', shape: smallEncoder, maxBatchRows: 8 });
  const engine = await createWorkerEngine({ repository: await scanModelRepository(directory), workers: 1 });
  onTestFinished(() => engine.close());
  expect(engine.failures()).toEqual([]);
  const rows = [3, 9].map((length) => ({ input_ids: { data: idsOf(1, length, 4_096), dims: [length] } }));
  const results = (await engine.predict({ model: 'encoder', version: '1', rows })) as RowOutput[];
  for (const { outputs } of results) {
    expect(lengthOf(outputs[encoderOutputName]!.data as Float32Array)).toBeCloseTo(1, 5);
  }
});
