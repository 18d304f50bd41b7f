/** What the process of the load is told, and what it answers. */
import type { Tenant } from '../cached-mix/tenants.ts';
import type { Phase } from '../suite/open-loop.ts';
import type { Latency } from '../suite/results.ts';

/** As the targets name them: cached or a single object; nested lists, searches and single writes; many rows written at once. */
export const requestClasses = ['critical', 'standard', 'bulk'] as const;
export type RequestClass = (typeof requestClasses)[number];

/**
 * How a request ended: `ok`; `shed`: OVERLOADED with Retry-After, which is right of a server that has too much to do;
 * `timed out`: no answer in the client's time; `lost`: the connection ended; `wrong answer`: not what is in the database;
 * or the code or status of the error.
 */
export type Outcome = string;

/** The first message to the process. */
export interface LoadOptions {
  readonly port: number;
  readonly tenants: readonly Tenant[];
  /** Opened as they are needed. */
  readonly maxConnections: number;
  /** Of requests: those of the cached mix; the rest is of the uncached. */
  readonly cachedShare: number;
  /** Of the cached mix: the higher, the more of it is for few requests. */
  readonly zipfExponent: number;
  /** Where the uncached mix reads what right answers are. */
  readonly databaseUrl: string;
}

/** Each message after it: phases without a pause between them. */
export type Run = readonly Phase[];

export interface Latencies extends Latency {
  readonly count: number;
}

/** Of the requests that were due in a second. */
export interface Tick {
  /** From the beginning of the run to the end of the second. */
  readonly atMs: number;
  readonly due: number;
  readonly outcomes: Readonly<Record<Outcome, number>>;
  /** Of what was not shed; null: too few to say. */
  readonly p95Ms: Readonly<Record<RequestClass, number | null>>;
}

/** The answer to a run. All latencies count from when a request was due, and are of those that were not shed. */
export interface RunReport {
  /** Right answers, until the last one was there. */
  readonly answeredPerSecond: number;
  readonly outcomes: Readonly<Record<Outcome, number>>;
  /** Those of each phase, by when they were due. */
  readonly phaseOutcomes: readonly Readonly<Record<Outcome, number>>[];
  readonly all: Latency;
  readonly classes: Readonly<Record<RequestClass, Latencies>>;
  readonly ticks: readonly Tick[];
  /** Answers that were decoded and compared with the database. */
  readonly compared: number;
  /** How late the load itself began its requests: part of the latencies, and no fault of the server. */
  readonly lateP99Ms: number;
}

/** Requests that ended otherwise than right, by how. */
export function faultsOf(
  outcomes: Readonly<Record<Outcome, number>>,
  allowed: readonly Outcome[] = [],
): [Outcome, number][] {
  return Object.entries(outcomes).filter(([outcome]) => outcome !== 'ok' && !allowed.includes(outcome));
}

export function totalOf(outcomes: Readonly<Record<Outcome, number>>): number {
  return Object.values(outcomes).reduce((sum, count) => sum + count, 0);
}
