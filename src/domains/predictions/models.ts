import { overloaded, publicError, timeout } from '../../errors.ts';
import type { InferenceEngine, LoadedVersion, VersionFailure } from '../../inference/engine.ts';
import { InferenceError } from '../../inference/engine.ts';
import type { ModelTask, Precision } from '../../inference/manifest.ts';

/** A model as the graph shows it, with its loaded versions in order. */
export interface ModelEntry {
  name: string;
  task: ModelTask;
  versions: ModelVersionEntry[];
  failedVersions: VersionFailure[];
}

export interface ModelVersionEntry {
  model: string;
  version: string;
  precision: Precision;
  executionProvider: string;
}

/** All models of which a version is loaded, or one of a known task failed to; by name. */
export function listModels(engine: InferenceEngine): ModelEntry[] {
  const loaded = Map.groupBy(engine.versions(), ({ name }) => name);
  const failed = Map.groupBy(engine.failures(), ({ name }) => name);
  const names = [...new Set([...loaded.keys(), ...failed.keys()])].sort(byName.compare);
  return names.flatMap((name) => {
    const versions = loaded.get(name) ?? [];
    const failedVersions = failed.get(name) ?? [];
    const task = versions[0]?.task ?? failedVersions.find((failure) => failure.task !== null)?.task;
    if (!task) return [];
    return [{ name, task, versions: versions.map(toEntry), failedVersions }];
  });
}

export function findModel(engine: InferenceEngine, name: string): ModelEntry | null {
  return listModels(engine).find((model) => model.name === name) ?? null;
}

// Version 10 comes after version 9.
const byName = new Intl.Collator('en', { numeric: true });

export function toEntry({ name, version, precision, executionProvider }: LoadedVersion): ModelVersionEntry {
  return { model: name, version, precision, executionProvider };
}

/** A worker or a server that is away is back within seconds, or after an operator's work. */
const unavailableSeconds = 5;

/** What a failed inference means to a client; other errors pass unchanged. */
export function toPublicError(error: unknown): unknown {
  if (!(error instanceof InferenceError)) return error;
  if (error.kind === 'overloaded') return overloaded(error.message);
  if (error.kind === 'unavailable') return overloaded(error.message, unavailableSeconds);
  if (error.kind === 'timeout' || error.kind === 'aborted') return timeout(error.message);
  if (error.kind === 'invalid-input') return publicError('BAD_USER_INPUT', error.message);
  return error;
}
