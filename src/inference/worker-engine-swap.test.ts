import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { BatchReport, InferenceEngine, RowResult } from './engine.ts';
import type { ModelRepository } from './repository.ts';
import { countThreads, numbersOf, startEngine, temporaryFolder, valuesRow, writeRepository } from './testing-engine.ts';
import { heavyGraph, scalingGraph, type TestVersion } from './testing-model.ts';
import { brokenStart, poison, poisonOnce } from './testing-worker.ts';

const workerFile = new URL('./testing-worker.ts', import.meta.url);
const heavy: TestVersion = { name: 'heavy', version: '1', graph: heavyGraph(120) };

/** A version that multiplies by its factor, which is its number unless said otherwise. */
function scaling(version: number, factor = version): TestVersion {
  return { name: 'scaling', version: String(version), graph: scalingGraph(factor) };
}

async function scale(engine: InferenceEngine, version: string | number, value: number): Promise<number> {
  const request = { model: 'scaling', version: String(version), rows: [valuesRow(value)] };
  const [result] = await engine.predict(request);
  return numbersOf(result, 'scaled')[0]!;
}

function predictHeavy(engine: InferenceEngine, rows: number): Promise<readonly RowResult[]> {
  const row = { x: { data: new Float32Array(512), dims: [512] } };
  return engine.predict({ model: 'heavy', version: '1', rows: new Array(rows).fill(row) });
}

function kindOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'answered',
    (error) => error.kind ?? error.message,
  );
}

function versionsOf(engine: InferenceEngine): string[] {
  return engine.versions().map(({ name, version }) => `${name}/${version}`);
}

describe('swap', () => {
  test('answers every call rightly while versions come, change and go', async () => {
    const threads = countThreads();
    const repositories = [
      await writeRepository([scaling(1), scaling(2)]),
      await writeRepository([scaling(1), scaling(2, 20)]),
      await writeRepository([scaling(1), scaling(3)]),
      await writeRepository([scaling(1)]),
    ];
    const factors = new Map(
      repositories.flatMap(({ versions }, at) =>
        versions.map(({ manifest }) => [
          manifest.sha256,
          at === 1 && manifest.version === '2' ? 20 : Number(manifest.version),
        ]),
      ),
    );
    const engine = await startEngine([scaling(1)], { workers: 2, retireGraceMs: 50 });
    const used = new Set<number>();
    let isOver = false;
    const call = async (caller: number) => {
      for (let value = caller; !isOver; value += 1) {
        const { version, manifest } = engine.versions().at(-1)!;
        const factor = factors.get(manifest.sha256)!;
        used.add(factor);
        expect(await scale(engine, version, value)).toBe(value * factor);
      }
    };
    const callers = Array.from({ length: 20 }, (_, caller) => call(caller));
    for (const repository of repositories) {
      await engine.swap(repository);
      const answered = factors.get(engine.versions().at(-1)!.manifest.sha256)!;
      await expect.poll(() => used.has(answered)).toBe(true);
    }
    isOver = true;
    await Promise.all(callers);
    expect([...used].sort()).toEqual([1, 2, 20, 3]);
    await expect.poll(threads).toBe(2);
    expect(engine.pendingRows()).toBe(0);
  });

  test('shows versions and failures of the new repository in one step', async () => {
    const engine = await startEngine([scaling(1)]);
    const broken = { ...scaling(3), bytes: new Uint8Array(9) };
    const half = { ...scaling(4), manifest: { sha256: '0'.repeat(64) } };
    const swapped = engine.swap(await writeRepository([scaling(2), broken, half]));
    await turn();
    expect([versionsOf(engine), engine.failures()]).toEqual([['scaling/1'], []]);
    await swapped;
    expect(versionsOf(engine)).toEqual(['scaling/2']);
    expect(engine.failures().map(({ version, task }) => [version, task])).toEqual([
      ['4', 'SENTIMENT'],
      ['3', 'SENTIMENT'],
    ]);
    expect(await scale(engine, 2, 4)).toBe(8);
    await engine.swap(await writeRepository([scaling(2)]));
    expect(engine.failures()).toEqual([]);
  });

  test('lets calls that run and wait finish where they were made, and no new ones in after the grace', async () => {
    const threads = countThreads();
    const engine = await startEngine([heavy, scaling(1)], { retireGraceMs: 0 });
    // There is always one that runs and one that waits.
    const call = async (): Promise<string> => {
      for (;;) {
        const kind = await kindOf(predictHeavy(engine, 256));
        if (kind !== 'answered') return kind;
      }
    };
    const callers = [call(), call()];
    await turn(); // a batch starts at the end of the macrotask
    const waiting = scale(engine, 1, 5);
    await engine.swap(await writeRepository([scaling(2)]));
    expect(await waiting).toBe(5);
    expect(await Promise.all(callers)).toEqual(['unknown-model', 'unknown-model']);
    await expect.poll(threads).toBe(1);
  });

  test('lets versions that are gone answer those who chose them before, for a while', async () => {
    const threads = countThreads();
    const engine = await startEngine([scaling(1)], { retireGraceMs: 60_000 });
    const swaps = [await writeRepository([scaling(2)]), await writeRepository([scaling(3)])];
    for (const repository of swaps) await engine.swap(repository);
    expect(versionsOf(engine)).toEqual(['scaling/3']);
    expect(await Promise.all([1, 2, 3].map((version) => scale(engine, version, 7)))).toEqual([7, 14, 21]);
    expect(await kindOf(scale(engine, 4, 7))).toBe('unknown-model');
    expect(threads()).toBe(3);
  });

  test('serves other bytes of the same name at once, and what stayed as the same version', async () => {
    const engine = await startEngine([heavy, scaling(1)]);
    const before = engine.versions();
    await engine.swap(await writeRepository([heavy, scaling(1, 10)]));
    expect(await scale(engine, 1, 5)).toBe(50);
    expect(engine.versions()[0]).toBe(before[0]);
    expect(engine.versions()[1]!.manifest.sha256).not.toBe(before[1]!.manifest.sha256);
    await engine.swap(await writeRepository([{ ...heavy, manifest: { maxBatchRows: 8 } }]));
    expect(engine.versions()[0]!.manifest.maxBatchRows).toBe(8);
  });

  test('keeps what was measured of versions that stayed', async () => {
    const reports: BatchReport[] = [];
    const engine = await startEngine([heavy], { maxBatchMs: 1, onBatch: (report) => reports.push(report) });
    const batchesOf = async (rows: number) => {
      reports.length = 0;
      await predictHeavy(engine, rows);
      return reports.length;
    };
    expect(await batchesOf(64)).toBe(1); // nothing is known
    await expect.poll(() => batchesOf(32)).toBeGreaterThan(1);
    await engine.swap(await writeRepository([heavy, scaling(1)]));
    expect(await batchesOf(64)).toBeGreaterThan(1);
  });
});

describe('swaps in a row', () => {
  test('run one after the other, of those that wait only the last', async () => {
    const broken = await temporaryFolder();
    writeFileSync(join(broken, brokenStart), '');
    const engine = await startEngine([scaling(1)], { workerFile });
    const first = engine.swap(await writeRepository([scaling(2)]));
    await turn();
    const skipped = engine.swap(await writeRepository([scaling(3)], broken));
    const last = engine.swap(await writeRepository([scaling(4)]));
    await first;
    expect(versionsOf(engine)).toEqual(['scaling/2']);
    await skipped; // would have failed
    expect(versionsOf(engine)).toEqual(['scaling/4']);
    await last;
  });

  test('keep at most two old sets of threads beside the current one', async () => {
    const threads = countThreads();
    const engine = await startEngine([scaling(1)], { workers: 2, retireGraceMs: 60_000 });
    const repositories: ModelRepository[] = [];
    for (const version of [2, 3, 4, 5]) repositories.push(await writeRepository([scaling(version)]));
    for (const repository of repositories) await engine.swap(repository);
    expect(threads()).toBe(6);
    expect(await Promise.all([3, 4, 5].map((version) => scale(engine, version, 1)))).toEqual([3, 4, 5]);
    expect(await kindOf(scale(engine, 2, 1))).toBe('unknown-model');
    await engine.close();
    expect(threads()).toBe(0);
  });
});

describe('a swap', () => {
  test('that no worker survives leaves everything as it was', async () => {
    const threads = countThreads();
    const directory = await temporaryFolder();
    const next = await writeRepository([scaling(2)], directory);
    const engine = await startEngine([scaling(1)], { workers: 2, workerFile, retireGraceMs: 0 });
    writeFileSync(join(directory, brokenStart), '');
    expect(await kindOf(engine.swap(next))).toBe('exit code 5');
    expect(versionsOf(engine)).toEqual(['scaling/1']);
    expect(await scale(engine, 1, 3)).toBe(3);
    expect(threads()).toBe(2);
    rmSync(join(directory, brokenStart));
    await engine.swap(next);
    expect(await scale(engine, 2, 3)).toBe(6);
    await expect.poll(threads).toBe(2);
  });

  test('does not take the answer of a call whose old worker dies', async () => {
    const exits: string[] = [];
    const onWorkerExit = (reason: string) => exits.push(reason);
    const engine = await startEngine([scaling(1)], { workerFile, onWorkerExit });
    await engine.swap(await writeRepository([scaling(2)]));
    expect(await scale(engine, 1, poisonOnce)).toBe(poisonOnce);
    expect(await kindOf(scale(engine, 1, poison))).not.toBe('answered');
    expect(await scale(engine, 1, 5)).toBe(5);
    expect(await scale(engine, 2, 5)).toBe(10);
    expect(exits).toEqual(['exit code 4', 'exit code 3', 'exit code 3']);
  });

  test('ends with the engine, and leaves no thread', async () => {
    const threads = countThreads();
    const engine = await startEngine([scaling(1)], { workers: 2 });
    await engine.swap(await writeRepository([scaling(2)]));
    const repository = await writeRepository([scaling(3)]);
    const underWay = kindOf(engine.swap(repository));
    await turn();
    const waiting = kindOf(engine.swap(repository));
    await engine.close();
    expect(await Promise.all([underWay, waiting])).toEqual(['aborted', 'aborted']);
    expect(await kindOf(engine.swap(repository))).toBe('aborted');
    expect(await kindOf(scale(engine, 2, 1))).toBe('aborted');
    await expect.poll(threads).toBe(0);
  });
});
