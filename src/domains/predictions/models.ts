import { overloaded, publicError, timeout } from '../../errors.ts';
import type { InferenceEngine, LoadedVersion, VersionFailure } from '../../inference/engine.ts';
import { InferenceError } from '../../inference/engine.ts';
import { isGpu } from '../../inference/execution-providers.ts';
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
  /** The share of calls it serves, 0 to 1. */
  rolloutWeight: number;
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
    const entries = versions.map((version) => toEntry(version, version === defaultVersion(versions)));
    return [{ name, task, versions: entries, failedVersions }];
  });
}

export function findModel(engine: InferenceEngine, name: string): ModelEntry | null {
  return listModels(engine).find((model) => model.name === name) ?? null;
}

/** The version that serves calls of a task: the newest loaded one of the first model with that task. */
export function servingVersion(engine: InferenceEngine, task: ModelTask): LoadedVersion {
  const first = engine.versions().find((version) => version.task === task);
  if (!first) throw overloaded(`no model for ${task} is loaded`, 30);
  return defaultVersion(engine.versions().filter((version) => version.name === first.name));
}

export function toEntry(version: LoadedVersion, isServing: boolean): ModelVersionEntry {
  const { name, precision, executionProvider } = version;
  return { model: name, version: version.version, precision, rolloutWeight: isServing ? 1 : 0, executionProvider };
}

// Version 10 comes after version 9.
const byName = new Intl.Collator('en', { numeric: true });

/**
 * Which of a model's versions serves when nothing else is said: the newest of full precision, or of all where there is
 * none. On a GPU its FP16 variant does, where it is loaded; other variants are for those who ask for them.
 */
export function defaultVersion(versions: readonly LoadedVersion[]): LoadedVersion {
  const full = versions.filter(({ precision }) => precision === 'FP32');
  const candidates = full.length > 0 ? full : versions;
  const newest = candidates.reduce((best, version) =>
    byName.compare(version.version, best.version) > 0 ? version : best,
  );
  const half = versions.find(({ version, precision, executionProvider }) => {
    return version === `${newest.version}-fp16` && precision === 'FP16' && isGpu(executionProvider);
  });
  return half ?? newest;
}

/** What a failed inference means to a client; other errors pass unchanged. */
export function toPublicError(error: unknown): unknown {
  if (!(error instanceof InferenceError)) return error;
  if (error.kind === 'overloaded') return overloaded(error.message);
  if (error.kind === 'timeout' || error.kind === 'aborted') return timeout(error.message);
  if (error.kind === 'invalid-input') return publicError('BAD_USER_INPUT', error.message);
  return error;
}
