/** Engines over generated models for tests, closed and deleted after each test. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { onTestFinished } from 'vitest';
import { InferenceError, type Row, type RowOutput, type RowResult } from './engine.ts';
import { type ModelRepository, scanModelRepository } from './repository.ts';
import { doublingGraph, type TestVersion, writeTestVersion } from './testing-model.ts';
import { createWorkerEngine, type WorkerEngine, type WorkerEngineOptions } from './worker-engine.ts';

export const doubling: TestVersion = { name: 'doubling', version: '1', graph: doublingGraph() };

/** A new folder that is deleted after the test. */
export async function temporaryFolder(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'inference '));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}

/** A repository of these versions, written to the directory or to a new one. */
export async function writeRepository(versions: readonly TestVersion[], directory?: string): Promise<ModelRepository> {
  directory ??= await temporaryFolder();
  for (const version of versions) await writeTestVersion(directory, version);
  return scanModelRepository(directory);
}

/** How many threads live that were started since. */
export function countThreads(): () => number {
  const alive = new Set<Worker>();
  const watch = (worker: Worker) => {
    alive.add(worker);
    worker.once('exit', () => alive.delete(worker));
  };
  process.on('worker', watch);
  onTestFinished(() => void process.off('worker', watch));
  return () => alive.size;
}

/** An engine with these versions, written to the directory, and one worker, unless options say otherwise. */
export async function startEngine(
  versions: readonly TestVersion[],
  options: Partial<WorkerEngineOptions> = {},
  directory?: string,
): Promise<WorkerEngine> {
  const repository = await writeRepository(versions, directory);
  const engine = await createWorkerEngine({ repository, workers: 1, ...options });
  onTestFinished(() => engine.close());
  return engine;
}

/** A row of the doubling model. */
export function valuesRow(...values: number[]): Row {
  return { values: { data: Float32Array.from(values), dims: [values.length] } };
}

/** The outputs of a row that succeeded. */
export function outputOf(result: RowResult | undefined): RowOutput {
  if (result === undefined || result instanceof InferenceError) throw result ?? new Error('no result');
  return result;
}

/** The elements of one output of a row that succeeded. */
export function numbersOf(result: RowResult | undefined, output: string): number[] {
  return [...(outputOf(result).outputs[output]!.data as Float32Array)];
}
