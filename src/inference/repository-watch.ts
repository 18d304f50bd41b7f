/** Looks at the folder of models every few seconds, and serves what changed there. */
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { fileSignature } from '../file-signature.ts';
import { type LoadedVersion, type VersionFailure, versionKey } from './engine.ts';
import { listVersionFolders, type ModelRepository, scanModelRepository } from './repository.ts';
import type { WorkerEngine } from './worker-engine.ts';

export interface RepositoryWatchOptions {
  readonly directory: string;
  /** Milliseconds between looks at the folder. Default 2,000; 0 never looks. */
  readonly pollMs?: number;
  /** What the folder holds now, once after the start and after each change. When it rejects, it is called again later. */
  onChange(repository: ModelRepository): Promise<void>;
  /** The folder cannot be read any more, or onChange rejected. Must not throw. */
  onProblem(error: Error): void;
}

export interface RepositoryWatch {
  /** No callback is called any more; a swap that is under way is left to the engine. */
  close(): void;
}

/** What a swap changed, as `name/version`. */
export interface VersionChanges {
  readonly added: readonly string[];
  /** Another file or another manifest under the same name. */
  readonly changed: readonly string[];
  readonly retired: readonly string[];
  /** Versions that cannot be used and were not among those before. */
  readonly failed: readonly VersionFailure[];
}

export interface WatchModelsOptions {
  readonly directory: string;
  /** Milliseconds between looks at the folder. Default 2,000; 0 never looks. */
  readonly pollMs?: number;
  readonly engine: Pick<WorkerEngine, 'swap' | 'versions' | 'failures'>;
  /** What the engine was started with. */
  readonly repository: ModelRepository;
  /** After each swap. Must not throw. */
  onSwap(changes: VersionChanges): void;
  /** The folder cannot be read, or what changed cannot be served: what was served still is. Must not throw. */
  onProblem(error: Error): void;
}

const defaultPollMs = 2_000;
// Looks until what could not be served is tried again, although nothing changed.
const looksBeforeRetry = 30;

/**
 * Keeps the engine's versions those of the folder. A version that disappears from the folder is retired; when all of them
 * disappear at once, the folder is taken for one that cannot be read, and they stay.
 */
export function watchModels(options: WatchModelsOptions): RepositoryWatch {
  const { directory, pollMs, engine, onSwap, onProblem } = options;
  let served = { repository: options.repository, failures: engine.failures() };
  const onChange = async (repository: ModelRepository) => {
    // A replaced worker may have failed to load a version since, although the folder is what it was.
    if (isDeepStrictEqual(served, { repository, failures: engine.failures() })) return;
    const before = { versions: engine.versions(), failures: engine.failures() };
    if (repository.versions.length + repository.failures.length === 0 && before.versions.length > 0) {
      throw new Error('the folder is empty');
    }
    await engine.swap(repository);
    served = { repository, failures: engine.failures() };
    onSwap(changesBetween(before, { versions: engine.versions(), failures: engine.failures() }));
  };
  return watchRepository({ directory, ...(pollMs !== undefined && { pollMs }), onChange, onProblem });
}

/**
 * Reads the folder when names, sizes, times or inodes of its files have changed and then stayed as they are from one look
 * to the next, so that no model is read that is still being copied. Only looks: notifications do not reach network mounts.
 */
export function watchRepository(options: RepositoryWatchOptions): RepositoryWatch {
  return new PollingWatch(options);
}

class PollingWatch implements RepositoryWatch {
  readonly #options: RepositoryWatchOptions;
  readonly #pollMs: number;
  /** What the folder looked like: at the last look, and when it was read last. Null: it could not be looked at. */
  #seen: string | null = null;
  #read: string | null = null;
  #looksUntilRetry = 0;
  #isReadable = true;
  #isClosed = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: RepositoryWatchOptions) {
    this.#options = options;
    this.#pollMs = options.pollMs ?? defaultPollMs;
    this.#lookLater();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  // The next look starts when this one has ended, however long a swap takes.
  #lookLater(): void {
    if (this.#isClosed || this.#pollMs === 0) return;
    this.#timer = setTimeout(() => void this.#look().finally(() => this.#lookLater()), this.#pollMs);
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    try {
      const signature = await signatureOf(this.#options.directory);
      this.#isReadable = true;
      const isSettled = signature === this.#seen;
      this.#seen = signature;
      if (!isSettled || !this.#isDue(signature)) return;
      const repository = await scanModelRepository(this.#options.directory);
      if (this.#isClosed || (await signatureOf(this.#options.directory)) !== signature) return;
      this.#read = signature;
      this.#looksUntilRetry = 0;
      await this.#change(repository);
    } catch (cause) {
      // Once, and not at each look.
      if (this.#isReadable) this.#report(new Error('the folder of models cannot be read', { cause }));
      this.#isReadable = false;
      this.#seen = null;
    }
  }

  #isDue(signature: string): boolean {
    if (signature !== this.#read) return true;
    if (this.#looksUntilRetry === 0) return false;
    this.#looksUntilRetry -= 1;
    return this.#looksUntilRetry === 0;
  }

  async #change(repository: ModelRepository): Promise<void> {
    try {
      await this.#options.onChange(repository);
    } catch (cause) {
      this.#looksUntilRetry = looksBeforeRetry;
      this.#report(new Error('what changed in the folder of models cannot be served', { cause }));
    }
  }

  #report(error: Error): void {
    if (!this.#isClosed) this.#options.onProblem(error);
  }
}

// Every file that scanModelRepository reads. Throws when the folder itself cannot be read.
async function signatureOf(directory: string): Promise<string> {
  const folders = await listVersionFolders(directory);
  const files = folders.flatMap(({ name, version }) =>
    ['manifest.json', 'model.onnx'].map((file) => signatureOfFile(directory, join(name, version, file))),
  );
  const errors = folders.map(({ error }) => error ?? '');
  return [...(await Promise.all(files)), ...errors].join('\n');
}

async function signatureOfFile(directory: string, file: string): Promise<string> {
  return `${file} ${await fileSignature(join(directory, file))}`;
}

interface Served {
  readonly versions: readonly LoadedVersion[];
  readonly failures: readonly VersionFailure[];
}

function changesBetween(before: Served, after: Served): VersionChanges {
  const old = new Map(before.versions.map((version) => [versionKey(version), version]));
  const now = new Map(after.versions.map((version) => [versionKey(version), version]));
  const stayed = [...now.keys()].filter((key) => old.has(key));
  return {
    added: [...now.keys()].filter((key) => !old.has(key)),
    changed: stayed.filter((key) => old.get(key) !== now.get(key)),
    retired: [...old.keys()].filter((key) => !now.has(key)),
    failed: after.failures.filter((failure) => !before.failures.some((other) => isDeepStrictEqual(other, failure))),
  };
}
