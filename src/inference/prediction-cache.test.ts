import { describe, expect, test } from 'vitest';
import { type InferenceEngine, InferenceError, type PredictRequest, type Row } from './engine.ts';
import { type CacheLookup, createCachedEngine } from './prediction-cache.ts';
import { doubling, numbersOf, outputOf, startEngine, valuesRow } from './testing-engine.ts';
import { doublingGraph, identityGraph, type TestVersion } from './testing-model.ts';

const predictDoubling = { model: 'doubling', version: '1' };

interface Started {
  cached: InferenceEngine;
  /** The rows of each call that reached the engine. */
  calls: (readonly Row[])[];
  lookups: CacheLookup[];
  /** Stands in for the engine behind the cache from now on. */
  replace(engine: InferenceEngine): void;
}

/** A cache before a real engine, with what passes between the two. */
async function start(versions: readonly TestVersion[], maxBytes = 1_000_000): Promise<Started> {
  let engine: InferenceEngine = await startEngine(versions);
  const calls: (readonly Row[])[] = [];
  const lookups: CacheLookup[] = [];
  const counted: InferenceEngine = Object.assign(Object.create(engine), {
    versions: () => engine.versions(),
    failures: () => engine.failures(),
    pendingRows: () => engine.pendingRows(),
    close: () => engine.close(),
    predict: (request: PredictRequest) => {
      calls.push(request.rows);
      return engine.predict(request);
    },
  });
  const cached = createCachedEngine({ engine: counted, maxBytes, onLookup: (lookup) => lookups.push(lookup) });
  const replace = (other: InferenceEngine) => {
    engine = other;
  };
  return { cached, calls, lookups, replace };
}

function kindOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'answered',
    (error) => error.kind,
  );
}

describe('a deterministic version', () => {
  test('runs only the rows that are new, in one call, and answers all in order', async () => {
    const { cached, calls, lookups } = await start([doubling]);
    await cached.predict({ ...predictDoubling, rows: [valuesRow(1), valuesRow(2, 3)] });
    const rows = [valuesRow(4), valuesRow(2, 3), valuesRow(5), valuesRow(1), valuesRow()];
    const results = await cached.predict({ ...predictDoubling, rows });
    expect(results.map((result) => numbersOf(result, 'doubled'))).toEqual([[8], [4, 6], [10], [2], []]);
    expect(calls.map((call) => call.length)).toEqual([2, 3]);
    expect(calls[1]).toEqual([rows[0], rows[2], rows[4]]);
    expect(results.map((result) => outputOf(result).batchRows)).toEqual([3, 0, 3, 0, 3]);
    expect(outputOf(results[1])).toMatchObject({ queueMs: 0, computeMs: 0 });
    expect(lookups).toEqual([
      { ...predictDoubling, hits: 0, misses: 2 },
      { ...predictDoubling, hits: 2, misses: 3 },
    ]);
  });

  test('answers from the cache what the engine answered', async () => {
    const { cached, calls } = await start([doubling]);
    const rows = [valuesRow(0.1, -2, 1e30)];
    const [ran] = await cached.predict({ ...predictDoubling, rows });
    const [kept] = await cached.predict({ ...predictDoubling, rows });
    expect(outputOf(kept).outputs).toEqual(outputOf(ran).outputs);
    expect(calls).toHaveLength(1);
  });

  test('tells rows apart by their dims, and by which input holds what', async () => {
    const identity = identityGraph('float32', ['rows', 'columns']);
    const pair: TestVersion['graph'] = {
      inputs: ['a', 'b'].map((name) => ({ name, type: 'float32', shape: ['batch', 1] })),
      outputs: [{ name: 'difference', type: 'float32', shape: ['batch', 1] }],
      nodes: [{ operator: 'Sub', inputs: ['a', 'b'], outputs: ['difference'] }],
      constants: [],
    };
    const { cached } = await start([
      { name: 'identity', version: '1', graph: identity },
      { name: 'pair', version: '1', graph: pair },
    ]);
    const data = Float32Array.of(1, 2);
    for (const dims of [
      [1, 2],
      [2, 1],
    ]) {
      const [result] = await cached.predict({ model: 'identity', version: '1', rows: [{ in: { data, dims } }] });
      expect(outputOf(result).outputs.out!.dims).toEqual(dims);
    }
    const [one, two] = [Float32Array.of(1), Float32Array.of(2)].map((own) => ({ data: own, dims: [1] }));
    const rows = [{ a: one!, b: two! }];
    expect(numbersOf((await cached.predict({ model: 'pair', version: '1', rows }))[0], 'difference')).toEqual([-1]);
    const swapped = [{ b: one!, a: two! }];
    expect(numbersOf((await cached.predict({ model: 'pair', version: '1', rows: swapped }))[0], 'difference')).toEqual([
      1,
    ]);
    const reordered = [{ b: two!, a: one! }];
    const [hit] = await cached.predict({ model: 'pair', version: '1', rows: reordered });
    expect([numbersOf(hit, 'difference')[0], outputOf(hit).batchRows]).toEqual([-1, 0]);
  });

  test('keeps copies: what a caller does to a result changes no other one', async () => {
    const { cached, calls } = await start([doubling]);
    for (let turn = 0; turn < 3; turn++) {
      const [result] = await cached.predict({ ...predictDoubling, rows: [valuesRow(7)] });
      expect(numbersOf(result, 'doubled')).toEqual([14]);
      const { data, dims } = outputOf(result).outputs.doubled!;
      (data as Float32Array).fill(99);
      (dims as number[])[0] = 99;
    }
    expect(calls).toHaveLength(1);
  });

  test('keys are made at once: rows may be used again after the answer', async () => {
    const { cached } = await start([doubling]);
    const row = valuesRow(1);
    await cached.predict({ ...predictDoubling, rows: [row] });
    (row.values!.data as Float32Array)[0] = 2;
    expect(numbersOf((await cached.predict({ ...predictDoubling, rows: [row] }))[0], 'doubled')).toEqual([4]);
  });

  test('holds no more than maxBytes, the latest used', async () => {
    const { cached, lookups } = await start([doubling], 50_000);
    const rows = Array.from({ length: 200 }, (_, index) => valuesRow(index));
    await cached.predict({ ...predictDoubling, rows });
    for (const row of rows.toReversed()) await cached.predict({ ...predictDoubling, rows: [row] });
    const kept = lookups.slice(1).map(({ hits }) => hits);
    const count = kept.indexOf(0);
    // Two outputs, the key and 8 bytes: some 850 bytes each.
    expect(count).toBeGreaterThan(40);
    expect(count).toBeLessThan(80);
  });
});

describe('what is not kept', () => {
  test('nothing of a version that is not deterministic', async () => {
    const { cached, calls, lookups } = await start([{ ...doubling, manifest: { deterministic: false } }]);
    for (let turn = 0; turn < 2; turn++) await cached.predict({ ...predictDoubling, rows: [valuesRow(1)] });
    expect(calls).toHaveLength(2);
    expect(lookups).toEqual([]);
  });

  test('no result of a file that was replaced under the same name, not even in flight', async () => {
    const { cached, replace } = await start([doubling]);
    const tripling = doublingGraph();
    const nodes = [
      { operator: 'Sum', inputs: ['values', 'values', 'values'], outputs: ['doubled'] },
      tripling.nodes[1]!,
    ];
    const other = await startEngine([{ ...doubling, graph: { ...tripling, nodes } }]);
    const first = { ...predictDoubling, rows: [valuesRow(1)] };
    const inFlight = { ...predictDoubling, rows: [valuesRow(5)] };
    expect(numbersOf((await cached.predict(first))[0], 'doubled')).toEqual([2]);
    const running = cached.predict(inFlight);
    replace(other);
    await running;
    expect(numbersOf((await cached.predict(first))[0], 'doubled')).toEqual([3]);
    expect(numbersOf((await cached.predict(inFlight))[0], 'doubled')).toEqual([15]);
  });

  test('no result of a manifest that was replaced beside the same file', async () => {
    const outputs = doublingGraph().outputs.slice(0, 1);
    const { cached, replace } = await start([{ ...doubling, manifest: { outputs } }]);
    const request = { ...predictDoubling, rows: [valuesRow(1, 2)] };
    expect(Object.keys(outputOf((await cached.predict(request))[0]).outputs)).toEqual(['doubled']);
    replace(await startEngine([doubling]));
    expect(Object.keys(outputOf((await cached.predict(request))[0]).outputs)).toEqual(['doubled', 'total']);
  });

  test('no result that may come from a file that was loaded in between', async () => {
    const sum: TestVersion['graph'] = {
      ...doublingGraph(),
      nodes: [{ operator: 'Identity', inputs: ['values'], outputs: ['doubled'] }, doublingGraph().nodes[1]!],
    };
    const [before, after] = [await startEngine([doubling]), await startEngine([{ ...doubling, graph: sum }])];
    let current: InferenceEngine = before;
    const swapping: InferenceEngine = Object.assign(Object.create(before), {
      versions: () => current.versions(),
      predict: (request: PredictRequest) => {
        current = after;
        return after.predict(request);
      },
    });
    const cached = createCachedEngine({ engine: swapping, maxBytes: 100_000 });
    const request = { ...predictDoubling, rows: [valuesRow(3)] };
    await cached.predict(request);
    current = before; // and back again
    expect(outputOf((await cached.predict(request))[0]).batchRows).toBe(1);
  });

  test('no failed row, while the others of its call are', async () => {
    const engine = await startEngine([doubling]);
    const failing: InferenceEngine = Object.assign(Object.create(engine), {
      versions: () => engine.versions(),
      predict: async (request: PredictRequest) => {
        const [, ...rest] = await engine.predict(request);
        return [new InferenceError('failed', 'no'), ...rest];
      },
    });
    const lookups: CacheLookup[] = [];
    const onLookup = (lookup: CacheLookup) => lookups.push(lookup);
    const cached = createCachedEngine({ engine: failing, maxBytes: 100_000, onLookup });
    const rows = [valuesRow(1), valuesRow(2)];
    const [failed] = await cached.predict({ ...predictDoubling, rows });
    expect(failed).toBeInstanceOf(InferenceError);
    await cached.predict({ ...predictDoubling, rows });
    expect(lookups.map(({ hits }) => hits)).toEqual([0, 1]);
  });
});

describe('as the engine itself', () => {
  test('refuses wrong rows, by their place in the whole call, although the others are kept', async () => {
    const { cached, calls } = await start([doubling]);
    await cached.predict({ ...predictDoubling, rows: [valuesRow(1)] });
    // The same bytes and dims as the kept row.
    const wrong = { values: { data: new Int32Array(Float32Array.of(1).buffer), dims: [1] } };
    const call = cached.predict({ ...predictDoubling, rows: [valuesRow(1), wrong] });
    await expect(call).rejects.toMatchObject({ kind: 'invalid-input', message: expect.stringContaining('row 1, ') });
    const more = { ...valuesRow(1), more: { data: Float32Array.of(1), dims: [1] } };
    expect(await kindOf(cached.predict({ ...predictDoubling, rows: [more] }))).toBe('invalid-input');
    expect(calls).toHaveLength(1);
  });

  test('refuses unknown versions, cancelled calls, and all calls after close()', async () => {
    const { cached } = await start([doubling]);
    const known = { ...predictDoubling, rows: [valuesRow(1)] };
    await cached.predict(known);
    expect(await kindOf(cached.predict({ ...known, version: '2' }))).toBe('unknown-model');
    expect(await kindOf(cached.predict({ ...known, signal: AbortSignal.abort() }))).toBe('aborted');
    expect(await cached.predict({ ...known, rows: [] })).toEqual([]);
    expect(cached.versions()).toHaveLength(1);
    expect(cached.pendingRows()).toBe(0);
    await cached.close();
    expect(await kindOf(cached.predict(known))).not.toBe('answered');
  });
});
