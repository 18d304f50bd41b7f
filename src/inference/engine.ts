/** What the rest of the server knows of inference: versions that are loaded, and rows in, results out. */
import type { Manifest, ModelTask, Precision } from './manifest.ts';

export type TensorData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** One row of a tensor: its elements in row-major order, and its dims without the batch axis. */
export interface RowTensor {
  readonly data: TensorData;
  readonly dims: readonly number[];
}

/** From input name to tensor. The arrays must not change until the prediction has settled. */
export type Row = Readonly<Record<string, RowTensor>>;

export interface RowOutput {
  /** From output name to tensor; copies that belong to the caller. Padding is cut off again. */
  readonly outputs: Row;
  /** Rows that ran together with this one, itself included; 0: it came from the cache. */
  readonly batchRows: number;
  /** From predict() until the batch started, and of the batch's run; milliseconds, 0 from the cache. */
  readonly queueMs: number;
  readonly computeMs: number;
}

/** A row that failed while others may have succeeded is an InferenceError (kind failed). */
export type RowResult = RowOutput | InferenceError;

export interface PredictRequest {
  readonly model: string;
  readonly version: string;
  readonly rows: readonly Row[];
  /** Rows that do not run yet when it fires are dropped. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds from this call; rows that do not run yet by then are dropped. Default: no limit. */
  readonly deadlineMs?: number | undefined;
  /** Bulk rows run when no interactive ones wait, but never starve. Default: interactive. */
  readonly lane?: Lane | undefined;
}

export type Lane = 'interactive' | 'bulk';

export interface LoadedVersion {
  readonly name: string;
  readonly version: string;
  readonly task: ModelTask;
  readonly precision: Precision;
  readonly manifest: Manifest;
  /** Where it runs, such as "cpu". */
  readonly executionProvider: string;
}

/** A version that cannot be used, and why in one line: for logs, readiness and the owner of the models. */
export interface VersionFailure {
  readonly name: string;
  /** "*": no version of the model can be found. */
  readonly version: string;
  /** Null when its manifest cannot be read. */
  readonly task: ModelTask | null;
  readonly error: string;
}

/** One run of a model, for metrics. */
export interface BatchReport {
  readonly model: string;
  readonly version: string;
  readonly rows: number;
  /** How long its oldest row waited, and how long the run took; milliseconds. */
  readonly queueMs: number;
  readonly computeMs: number;
  readonly isFailed: boolean;
}

export interface InferenceEngine {
  /** Loaded versions, ordered by name and version. */
  versions(): readonly LoadedVersion[];
  /** Versions found but not loaded. */
  failures(): readonly VersionFailure[];
  /** Rows that wait or run now. */
  pendingRows(): number;
  /**
   * Results in the order of the rows. Rejects with an InferenceError when the call as a whole cannot be answered:
   * unknown-model, invalid-input (nothing runs), overloaded, unavailable, timeout, aborted.
   */
  predict(request: PredictRequest): Promise<readonly RowResult[]>;
  /**
   * Ends after running batches have, within a grace; waiting calls reject as aborted. Safe to call twice. To be awaited
   * before process.exit(), which must not hit a running batch.
   */
  close(): Promise<void>;
}

export type InferenceErrorKind =
  | 'unknown-model'
  | 'invalid-input'
  | 'overloaded'
  | 'timeout'
  | 'aborted'
  /** Nothing can run now, whatever was asked: no worker is left, or the server is away. It is tried on. */
  | 'unavailable'
  /** The model or its worker failed; `cause` holds the details, which are not for clients. */
  | 'failed';

/** The message may be shown to clients; the cause may not. */
export class InferenceError extends Error {
  readonly kind: InferenceErrorKind;

  constructor(kind: InferenceErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'InferenceError';
    this.kind = kind;
  }
}

/** Names a version in maps and messages. */
export function versionKey({ name, version }: { readonly name: string; readonly version: string }): string {
  return `${name}/${version}`;
}
