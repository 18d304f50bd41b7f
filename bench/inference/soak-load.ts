/** Callers of the soak: each answer is compared with the right one of the file that was listed when it was asked for. */
import { setTimeout as pause } from 'node:timers/promises';
import {
  type InferenceEngine,
  InferenceError,
  type Lane,
  type LoadedVersion,
  type RowResult,
} from '../../src/inference/engine.ts';
import { isRight, type KnownRows } from './known-rows.ts';

interface Caller {
  readonly known: KnownRows;
  readonly rows: number;
  readonly lane?: Lane;
  readonly deadlineMs?: number;
  /** Half of the calls are abandoned after this time. */
  readonly abortMs?: number;
  /** Calls of one version with pauses between, whatever is swapped meanwhile. Default 1: the newest for each call. */
  readonly callsOfOneVersion?: number;
}

/** What came of the calls. */
export class Counts {
  calls = 0;
  right = 0;
  wrong = 0;
  failed = 0;
  /** What the caller had asked for by its deadline or signal. */
  refused = 0;
  unanswered = 0;
  readonly reasons = new Map<string, number>();
  /** Files that were asked. */
  readonly files = new Set<string>();
  /** Calls of a version that was not listed any more. */
  late = 0;
}

const answerLimitMs = 30_000;
const pauseWithinMs = 500;

/** Callers of both models, small and large, patient and not. */
export function mixedLoad(texts: KnownRows, encoded: KnownRows): readonly Caller[] {
  const times = (count: number, caller: Caller) => new Array<Caller>(count).fill(caller);
  return [
    ...times(16, { known: texts, rows: 1 }),
    ...times(2, { known: texts, rows: 100 }),
    ...times(4, { known: texts, rows: 5, callsOfOneVersion: 3 }),
    ...times(4, { known: encoded, rows: 1 }),
    ...times(1, { known: encoded, rows: 40, lane: 'bulk' }),
    ...times(2, { known: texts, rows: 10, deadlineMs: 5 }),
    ...times(2, { known: encoded, rows: 2, abortMs: 3 }),
  ];
}

/** Calls until `isOver`, then resolves when all answers have come. */
export async function callUntil(
  isOver: () => boolean,
  engine: InferenceEngine,
  callers: readonly Caller[],
  counts: Counts,
): Promise<void> {
  const loop = async (caller: Caller, index: number) => {
    for (let first = index * 31; !isOver(); first += caller.rows) {
      const { name } = caller.known.workload.files.manifest;
      const chosen = engine.versions().findLast((version) => version.name === name)!;
      for (let call = 1; call < (caller.callsOfOneVersion ?? 1); call++) {
        await callOnce(engine, caller, { chosen, first }, counts);
        await pause(pauseWithinMs);
      }
      await callOnce(engine, caller, { chosen, first }, counts);
      // A caller that is refused at once must not call again at once, and never starve the rest.
      await (caller.deadlineMs === undefined ? new Promise(setImmediate) : pause(caller.deadlineMs));
    }
  };
  await Promise.all(callers.map(loop));
}

async function callOnce(
  engine: InferenceEngine,
  caller: Caller,
  { chosen, first }: { readonly chosen: LoadedVersion; readonly first: number },
  counts: Counts,
): Promise<void> {
  const { known, rows, lane, deadlineMs, abortMs } = caller;
  const indexes = Array.from({ length: rows }, (_, at) => (first + at) % known.rows.length);
  const { name: model, version } = chosen;
  const isAborted = abortMs !== undefined && counts.calls % 2 === 0;
  const request = { model, version, rows: indexes.map((index) => known.rows[index]!), lane, deadlineMs };
  const signal = isAborted ? AbortSignal.timeout(abortMs) : undefined;
  const listed = engine.versions().find((other) => other.name === model && other.version === version);
  const { sha256 } = (listed ?? chosen).manifest;
  counts.calls += 1;
  counts.files.add(sha256);
  if (listed === undefined) counts.late += 1;
  const limit = new AbortController();
  try {
    const results = await Promise.race([
      engine.predict({ ...request, signal }),
      pause(answerLimitMs, null, { signal: limit.signal }),
    ]);
    if (results === null) counts.unanswered += 1;
    else if (results.length !== rows) counts.wrong += 1;
    else
      for (const [at, result] of results.entries()) countResult(counts, caller, { sha256, row: indexes[at]! }, result);
  } catch (error) {
    countFailure(counts, caller, error);
  } finally {
    limit.abort();
  }
}

function countResult(
  counts: Counts,
  caller: Caller,
  asked: { readonly sha256: string; readonly row: number },
  result: RowResult,
): void {
  if (result instanceof InferenceError) countFailure(counts, caller, result);
  else if (isRight(caller.known, asked, result)) counts.right += 1;
  else counts.wrong += 1;
}

function countFailure(counts: Counts, { deadlineMs, abortMs }: Caller, error: unknown): void {
  const kind = error instanceof InferenceError ? error.kind : String(error);
  const isWanted =
    ((kind === 'timeout' || kind === 'overloaded') && deadlineMs !== undefined) ||
    (kind === 'aborted' && abortMs !== undefined);
  if (isWanted) counts.refused += 1;
  else counts.failed += 1;
  counts.reasons.set(kind, (counts.reasons.get(kind) ?? 0) + 1);
}
