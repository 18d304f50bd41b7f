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
  /** The share of calls it serves, 0 to 1. */
  rolloutWeight: number;
  executionProvider: string;
}

/** All models with a loaded version, by name. */
export function listModels(engine: InferenceEngine): ModelEntry[] {
  const byName = Map.groupBy(engine.versions(), (version) => version.name);
  return [...byName].map(([name, versions]) => ({
    name,
    task: versions[0]!.task,
    versions: versions.map((version) => toEntry(version, version === newest(versions))),
  }));
}

export function findModel(engine: InferenceEngine, name: string): ModelEntry | null {
  return listModels(engine).find((model) => model.name === name) ?? null;
}

/** The version that serves calls of a task: the newest loaded one of the first model with that task. */
export function servingVersion(engine: InferenceEngine, task: ModelTask): LoadedVersion {
  const first = engine.versions().find((version) => version.task === task);
  if (!first) throw overloaded(`no model for ${task} is loaded`, 30);
  return newest(engine.versions().filter((version) => version.name === first.name));
}

export function toEntry(version: LoadedVersion, isServing: boolean): ModelVersionEntry {
  const { name, precision, executionProvider } = version;
  return { model: name, version: version.version, precision, rolloutWeight: isServing ? 1 : 0, executionProvider };
}

/** The newest of full precision; of all where there is none. A variant of it is for those who ask for it. */
function newest(versions: readonly LoadedVersion[]): LoadedVersion {
  const order = new Intl.Collator('en', { numeric: true });
  const full = versions.filter(({ precision }) => precision === 'FP32');
  const candidates = full.length > 0 ? full : versions;
  return candidates.reduce((best, version) => (order.compare(version.version, best.version) > 0 ? version : best));
}

/** What a failed inference means to a client; other errors pass unchanged. */
export function toPublicError(error: unknown): unknown {
  if (!(error instanceof InferenceError)) return error;
  if (error.kind === 'overloaded') return overloaded(error.message);
  if (error.kind === 'timeout' || error.kind === 'aborted') return timeout(error.message);
  if (error.kind === 'invalid-input') return publicError('BAD_USER_INPUT', error.message);
  return error;
}
