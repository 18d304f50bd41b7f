/** Keeps results of deterministic versions: a row that was predicted before does not run again. */
import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import {
  type InferenceEngine,
  InferenceError,
  type LoadedVersion,
  type PredictRequest,
  type Row,
  type RowOutput,
  type RowResult,
} from './engine.ts';
import type { Manifest } from './manifest.ts';
import { checkRows } from './row-check.ts';

/** One call's rows of a deterministic version. */
export interface CacheLookup {
  readonly model: string;
  readonly version: string;
  /** Rows answered from the cache, and rows that had to run. */
  readonly hits: number;
  readonly misses: number;
}

export interface CachedEngineOptions {
  readonly engine: InferenceEngine;
  /** Most memory of keys and results together. */
  readonly maxBytes: number;
  /** Called once for each call of a deterministic version. Must not throw. */
  readonly onLookup?: (lookup: CacheLookup) => void;
}

// Beside key and elements, as measured with 100,000 entries: 442 bytes with one output of 4 elements, 457 with one of 72,
// 1,064 with three of 4.
const entryBytes = 150;
const outputBytes = 310;

/**
 * The engine with a cache before it, by version (as its manifest describes it) and the content of a row. Only versions
 * whose manifest says deterministic; only rows that succeeded. A row from the cache has batchRows, queueMs and computeMs
 * 0. Only misses count against the engine's queue; equal rows at the same time are left to the engine.
 */
export function createCachedEngine(options: CachedEngineOptions): InferenceEngine {
  return new CachedEngine(options);
}

class CachedEngine implements InferenceEngine {
  readonly #engine: InferenceEngine;
  readonly #onLookup: CachedEngineOptions['onLookup'];
  readonly #kept: LRUCache<string, Row>;
  readonly #prefixes = new WeakMap<Manifest, string>();
  #lastPrefix = 0;
  #isClosed = false;

  constructor({ engine, maxBytes, onLookup }: CachedEngineOptions) {
    this.#engine = engine;
    this.#onLookup = onLookup;
    this.#kept = new LRUCache({ maxSize: maxBytes, sizeCalculation: sizeOf });
  }

  versions(): ReturnType<InferenceEngine['versions']> {
    return this.#engine.versions();
  }

  failures(): ReturnType<InferenceEngine['failures']> {
    return this.#engine.failures();
  }

  pendingRows(): number {
    return this.#engine.pendingRows();
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#kept.clear();
    return this.#engine.close();
  }

  // async, so that a wrong row rejects as it does in the engine.
  async predict(request: PredictRequest): Promise<readonly RowResult[]> {
    const version = this.#versionOf(request);
    const isKept = version?.manifest.deterministic === true && !this.#isClosed && request.signal?.aborted !== true;
    if (!isKept) return this.#engine.predict(request);
    const { manifest } = version;
    checkRows(manifest, request.rows); // a wrong row must not hit, and its error names its place in the whole call
    const prefix = this.#prefixOf(manifest);
    const keys = request.rows.map((row) => keyOf(prefix, manifest, row));
    const results: (RowResult | undefined)[] = keys.map((key) => this.#find(key));
    const misses = [...results.keys()].filter((index) => results[index] === undefined);
    this.#onLookup?.({
      model: request.model,
      version: request.version,
      hits: keys.length - misses.length,
      misses: misses.length,
    });
    if (misses.length > 0) {
      const ran = await this.#engine.predict({ ...request, rows: misses.map((index) => request.rows[index]!) });
      // Else the rows may have run on a file that came after this one under the same name.
      const isSame = this.#versionOf(request)?.manifest === manifest;
      misses.forEach((index, position) => {
        const result = ran[position]!;
        results[index] = result;
        if (isSame) this.#keep(keys[index]!, result);
      });
    }
    return results as RowResult[];
  }

  #versionOf({ model, version }: PredictRequest): LoadedVersion | undefined {
    return this.#engine.versions().find((loaded) => loaded.name === model && loaded.version === version);
  }

  #find(key: string): RowOutput | undefined {
    const outputs = this.#kept.get(key);
    return outputs && { outputs: copyOf(outputs), batchRows: 0, queueMs: 0, computeMs: 0 };
  }

  #keep(key: string, result: RowResult): void {
    if (result instanceof InferenceError || this.#isClosed) return;
    this.#kept.set(key, copyOf(result.outputs));
  }

  // A short name for a version. A manifest names its file and its outputs, and is the same object as long as neither it
  // nor the file changes.
  #prefixOf(manifest: Manifest): string {
    let prefix = this.#prefixes.get(manifest);
    if (prefix === undefined) {
      prefix = String(this.#lastPrefix++);
      this.#prefixes.set(manifest, prefix);
    }
    return prefix;
  }
}

// SHA-256, so that no client can make two rows with one key. Measured: 0.5 µs for 60 elements, 1.5 for 209 to 500, 5 for
// 2,000. The bytes themselves as the key would take half of that, and several times the memory.
function keyOf(prefix: string, manifest: Manifest, row: Row): string {
  let key = prefix;
  for (const { name } of manifest.inputs) {
    const { data, dims } = row[name]!;
    key += `|${dims.join()}|${hash('sha256', data, 'binary')}`;
  }
  return key;
}

function copyOf(row: Row): Row {
  const copy: Record<string, Row[string]> = {};
  for (const [name, { data, dims }] of Object.entries(row)) copy[name] = { data: data.slice(), dims: [...dims] };
  return copy;
}

function sizeOf(outputs: Row, key: string): number {
  let bytes = entryBytes + key.length;
  for (const { data } of Object.values(outputs)) bytes += outputBytes + data.byteLength;
  return bytes;
}
