/** What the main thread and a worker thread say to each other. Arrays are transferred, not copied. */
import type { VersionFailure } from './engine.ts';
import type { ModelFiles } from './repository.ts';
import type { SessionSetup } from './session.ts';
import type { BatchTensor } from './tensors.ts';

/** workerData of a worker thread. */
export interface WorkerSetup extends SessionSetup {
  readonly files: readonly ModelFiles[];
}

export type MessageToWorker = RunMessage | { readonly type: 'close' };

export interface RunMessage {
  readonly type: 'run';
  /** versionKey of the version. */
  readonly key: string;
  readonly inputs: readonly BatchTensor[];
}

export type MessageFromWorker = ReadyMessage | DoneMessage | FailedMessage;

export interface ReadyMessage {
  readonly type: 'ready';
  /** From versionKey to execution provider. */
  readonly loaded: ReadonlyMap<string, string>;
  readonly failures: readonly VersionFailure[];
  /** Why preferred execution providers could not be used, each reason once. */
  readonly skippedProviders: readonly string[];
}

export interface DoneMessage {
  readonly type: 'done';
  readonly outputs: readonly BatchTensor[];
  readonly computeMs: number;
}

export interface FailedMessage {
  readonly type: 'failed';
  /** Of the runtime: for logs, not for clients. */
  readonly error: string;
}

/** The buffers of tensors, as a transfer list. */
export function buffersOf(tensors: readonly BatchTensor[]): ArrayBuffer[] {
  return tensors.map(({ data }) => data.buffer as ArrayBuffer);
}
