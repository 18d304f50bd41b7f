/** The engine against bare worker threads: when idle, when saturated, and when asked for twice of what it can do. */
import { setTimeout as pause } from 'node:timers/promises';
import { type InferenceEngine, InferenceError } from '../../src/inference/engine.ts';
import { median, percentile } from '../statistics.ts';
import { callAtRate, callInLoops, type LoopFigures } from './callers.ts';
import { type RawPool, startRawPool } from './raw-pool.ts';
import type { Report } from './report.ts';
import type { Workload } from './workload.ts';

export interface SpeedOptions {
  readonly engine: InferenceEngine;
  /** Of the engine; bare threads are as many. */
  readonly workers: number;
  /** Of each measurement. */
  readonly seconds: number;
  readonly report: Report;
}

const idleTargetMs = 0.5;
const saturatedTarget = 0.9;
const delayTargetMs = 10;
const levels = [1, 16, 256, 4_096] as const;
// The same rows in calls as large as those of a page of a list: what promises for each row cost does not count here.
const pages = { callers: 64, rowsPerCall: 64 };
// Each with the bare threads and the engine side by side: other load on the machine then hits both.
const rounds = 3;
const idleRuns = 200;
/** Calls that the budget of a batch is for; a large model takes seconds for one. */
const largeCalls = { rowsPerCall: 256, runs: 20 };
const deadlineMs = 200;
const refusalTargetMs = 10;
// Enough that batches are full, few enough that what waits is answered within the deadline.
const callersForMaximum = 128;

/** What a budget is for, by its id. */
export type BudgetFigure = { readonly id: string; readonly value: number };

/** p50 of one prediction with nothing else to do, against the run alone in its thread; p95 of one and of a batch. */
export async function benchIdle(options: SpeedOptions, workload: Workload): Promise<BudgetFigure[]> {
  const raw = startRawPool(workload, 1);
  const direct: number[] = [];
  const through: number[] = [];
  const batches: number[] = [];
  try {
    for (let round = 0; round < rounds; round++) {
      direct.push(...(await raw.timeRuns(idleRuns)));
      through.push(...(await timePredictions(options.engine, workload, { rowsPerCall: 1, runs: idleRuns })));
      batches.push(...(await timePredictions(options.engine, workload, largeCalls)));
    }
  } finally {
    await raw.close();
  }
  const difference = median(through) - median(direct);
  options.report.check(
    `${workload.model}: ${median(through).toFixed(2)} ms through the engine, ${median(direct).toFixed(2)} ms direct, difference ${difference.toFixed(2)} ms`,
    `<= ${idleTargetMs} ms`,
    difference <= idleTargetMs,
  );
  const [singleMs, batchMs] = [percentile(through, 0.95), percentile(batches, 0.95)];
  options.report.figure(
    `p95 of one row ${singleMs.toFixed(2)} ms, of ${largeCalls.rowsPerCall} rows ${batchMs.toFixed(1)} ms`,
  );
  return [
    { id: 'inference-single-p95', value: singleMs },
    { id: 'inference-batch-p95', value: batchMs },
  ];
}

async function timePredictions(
  engine: InferenceEngine,
  workload: Workload,
  { rowsPerCall, runs }: { rowsPerCall: number; runs: number },
): Promise<number[]> {
  const { model, version } = workload;
  const durationsMs: number[] = [];
  for (let run = 0; run < runs; run++) {
    await pause(1);
    const rows = Array.from({ length: rowsPerCall }, workload.nextRow);
    const startedAt = performance.now();
    const results = await engine.predict({ model, version, rows });
    durationsMs.push(performance.now() - startedAt);
    for (const result of results) if (result instanceof InferenceError) throw result;
  }
  return durationsMs;
}

interface Round {
  readonly fullBatches: number;
  readonly singleRows: number;
  readonly levels: readonly LoopFigures[];
  readonly pages: LoopFigures;
}

/** Rows a second and the event loop's delay with 1 to 4,096 callers, against bare threads with full batches and single rows. */
export async function benchSaturated(options: SpeedOptions, workload: Workload): Promise<void> {
  const raw = startRawPool(workload, options.workers);
  const measured: Round[] = [];
  try {
    for (let round = 0; round < rounds; round++) measured.push(await measureRound(options, workload, raw));
  } finally {
    await raw.close();
  }
  const { report } = options;
  const medianOf = (read: (round: Round) => number) => median(measured.map(read));
  const batchRows = workload.files.manifest.maxBatchRows;
  report.figure(
    `${workload.model}, bare threads: ${rate(medianOf((round) => round.fullBatches))} in batches of ${batchRows}, ${rate(medianOf((round) => round.singleRows))} one by one`,
  );
  for (const [at, callers] of levels.entries()) {
    const ofFull = medianOf((round) => round.levels[at]!.rowsPerSecond / round.fullBatches);
    const ofSingle = medianOf((round) => round.levels[at]!.rowsPerSecond / round.singleRows);
    const text = `${callers} callers: ${rate(medianOf((round) => round.levels[at]!.rowsPerSecond))}, ${ofSingle.toFixed(2)} of one by one, ${ofFull.toFixed(2)} of full batches`;
    if (at < levels.length - 1) report.figure(text);
    else report.check(text, `>= ${saturatedTarget} of full batches`, ofFull >= saturatedTarget);
  }
  report.figure(
    `${pages.callers} callers of ${pages.rowsPerCall} rows: ${rate(medianOf((round) => round.pages.rowsPerSecond))}, ${medianOf((round) => round.pages.rowsPerSecond / round.fullBatches).toFixed(2)} of full batches`,
  );
  const delays = levels.map((_, at) => medianOf((round) => round.levels[at]!.delayP99Ms));
  report.check(
    `event-loop delay p99 with ${levels.join(', ')} callers: ${delays.map((delay) => delay.toFixed(1)).join(', ')} ms`,
    `< ${delayTargetMs} ms`,
    Math.max(...delays) < delayTargetMs,
  );
}

async function measureRound({ engine, seconds }: SpeedOptions, workload: Workload, raw: RawPool): Promise<Round> {
  const fullBatches = await raw.rowsPerSecond(workload.files.manifest.maxBatchRows, seconds);
  const singleRows = await raw.rowsPerSecond(1, seconds);
  const measured: LoopFigures[] = [];
  for (const callers of levels) measured.push(await callInLoops(engine, workload, { callers, seconds }));
  return {
    fullBatches,
    singleRows,
    levels: measured,
    pages: await callInLoops(engine, workload, { ...pages, seconds }),
  };
}

/** Twice the maximum, measured before and after, in calls of so many rows with a deadline. */
export async function benchOverload(
  { engine, seconds, report }: SpeedOptions,
  workload: Workload,
  rowsPerCall: number,
): Promise<BudgetFigure> {
  const maximumNow = async () =>
    (await callInLoops(engine, workload, { callers: callersForMaximum, rowsPerCall, seconds })).rowsPerSecond;
  const before = await maximumNow();
  const load = { rowsPerSecond: before * 2, rowsPerCall, seconds: seconds * 2, deadlineMs };
  const { offered, acceptedMs, overloadedMs, timeoutMs, rowsPerSecond } = await callAtRate(engine, workload, load);
  const maximum = (before + (await maximumNow())) / 2;
  const offeredRate = (offered * rowsPerCall) / load.seconds;
  const share = (count: number) => `${((count / offered) * 100).toFixed(0)} %`;
  report.figure(
    `${workload.model}, calls of ${rowsPerCall}: offered ${rate(offeredRate)}, ${(offeredRate / maximum).toFixed(2)} times the maximum: ${share(acceptedMs.length)} accepted, ${share(overloadedMs.length)} refused, ${share(timeoutMs.length)} timed out`,
  );
  const acceptedP99Ms = percentile(acceptedMs, 0.99);
  report.check(
    `p99 of the accepted: ${acceptedP99Ms.toFixed(1)} ms`,
    `<= ${deadlineMs} ms`,
    acceptedP99Ms <= deadlineMs,
  );
  // A call that waits in vain until its deadline is a refusal too, a late one.
  const refusals = [...overloadedMs, ...timeoutMs];
  const refusalP99Ms = percentile(refusals, 0.99);
  report.check(
    `p99 until a refusal: ${refusalP99Ms.toFixed(1)} ms`,
    `<= ${refusalTargetMs} ms`,
    refusals.length > 0 && refusalP99Ms <= refusalTargetMs,
  );
  const ofMaximum = rowsPerSecond / maximum;
  report.check(
    `throughput: ${ofMaximum.toFixed(2)} of the maximum`,
    `>= ${saturatedTarget}`,
    ofMaximum >= saturatedTarget,
  );
  return { id: 'inference-overload-p95', value: percentile(acceptedMs, 0.95) };
}

function rate(rowsPerSecond: number): string {
  return `${Math.round(rowsPerSecond).toLocaleString('en')} rows/s`;
}
