import { overloaded, publicError, timeout } from '../../errors.ts';
import type { InferenceEngine, LoadedVersion } from '../../inference/engine.ts';
import { InferenceError } from '../../inference/engine.ts';
import type { ModelTask, Precision } from '../../inference/manifest.ts';

/** A model as the graph shows it, with its loaded versions in order. */
export interface ModelEntry {
  name: string;
  task: ModelTask;
  versions: ModelVersionEntry[];
}

export interface ModelVersionEntry {
  model: string;
  version: string;
  precision: Precision;
  executionProvider: string;
}

/** All models with a loaded version, by name. */
export function listModels(engine: InferenceEngine): ModelEntry[] {
  const byName = Map.groupBy(engine.versions(), (version) => version.name);
  return [...byName].map(([name, versions]) => ({
    name,
    task: versions[0]!.task,
    versions: versions.map(toEntry),
  }));
}

export function findModel(engine: InferenceEngine, name: string): ModelEntry | null {
  return listModels(engine).find((model) => model.name === name) ?? null;
}

export function toEntry({ name, version, precision, executionProvider }: LoadedVersion): ModelVersionEntry {
  return { model: name, version, precision, executionProvider };
}

/** What a failed inference means to a client; other errors pass unchanged. */
export function toPublicError(error: unknown): unknown {
  if (!(error instanceof InferenceError)) return error;
  if (error.kind === 'overloaded') return overloaded(error.message);
  if (error.kind === 'timeout' || error.kind === 'aborted') return timeout(error.message);
  if (error.kind === 'invalid-input') return publicError('BAD_USER_INPUT', error.message);
  return error;
}
