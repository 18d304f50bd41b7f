/** Engines whose only worker can be kept busy for as long as a test looks at what waits behind it. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import type { InferenceEngine } from './engine.ts';
import { startEngine, temporaryFolder } from './testing-engine.ts';
import { identityGraph, type TestVersion } from './testing-model.ts';
import type { WorkerEngineOptions } from './worker-engine.ts';

const plug: TestVersion = { name: 'plug', version: '1', graph: identityGraph('float32', [1]) };

export interface GatedEngine {
  readonly engine: InferenceEngine;
  /** Two batches of the model "plug" that take until the function it answers is called, which resolves after them. */
  occupy(): Promise<() => Promise<void>>;
}

export async function startGatedEngine(
  versions: readonly TestVersion[],
  options: Partial<WorkerEngineOptions> = {},
): Promise<GatedEngine> {
  const gate = join(await temporaryFolder(), 'gate');
  process.env.TEST_GATE = gate;
  const workerFile = new URL('./testing-gate-worker.ts', import.meta.url);
  const engine = await startEngine([plug, ...versions], { ...options, workers: 1, workerFile });
  const plugWith = (value: number) =>
    engine.predict({ model: 'plug', version: '1', rows: [{ in: { data: Float32Array.of(value), dims: [1] } }] });
  return {
    engine,
    async occupy() {
      writeFileSync(gate, '');
      onTestFinished(() => rmSync(gate, { force: true }));
      const first = plugWith(1);
      await turn(); // a batch starts at the end of the macrotask
      const plugs = Promise.all([first, plugWith(2)]);
      plugs.catch(() => {}); // of a test that failed before it was released
      return async () => {
        rmSync(gate);
        await plugs;
      };
    },
  };
}
