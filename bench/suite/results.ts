/** What a run of the suite leaves behind: printed, drawn in the report, kept as JSON and compared with others. */

export interface BenchResult {
  formatVersion: 1;
  /** ISO-8601. */
  startedAt: string;
  /** null: not a checkout of git. */
  commit: string | null;
  machine: Machine;
  scenarios: ScenarioResult[];
}

export interface Machine {
  cpu: string;
  cores: number;
  memoryGib: number;
  node: string;
  os: string;
  /** Whether server and load had a core each. */
  isPinned: boolean;
}

/** One scenario under one load. */
export interface ScenarioResult {
  /** Such as `features page, cold`. */
  name: string;
  load: Load;
  ours: Figures;
  /** The same answer by the shortest way there is, measured in turns with ours. */
  limits: Limit[];
  ratios: Ratio[];
  /** While ours was loaded. */
  series: ProcessSample[];
}

export interface Load {
  connections: number;
  /** Requests a second, latency counted from the intended start; null: as many as the connections can. */
  rate: number | null;
  seconds: number;
}

export interface Limit {
  /** Such as `constant bytes`, `one statement`, `flat statements`, `raw model run`. */
  name: string;
  figures: Figures;
}

export interface Figures {
  requestsPerSecond: number;
  /** Of the server's process, user and system; null where it cannot be known. */
  cpuMicroseconds: number | null;
  latency: Latency;
  /** Requests that were refused, and are in no other figure. */
  shed: number;
}

export interface Latency {
  p50Ms: number;
  p95Ms: number;
  p99Ms: number;
  maxMs: number;
  /** Milliseconds at the shares 0, 0.01 … 0.99, 0.999, 1 of the requests. */
  distributionMs: [share: number, ms: number][];
}

export interface Ratio {
  /** Such as `CPU against flat statements`. */
  name: string;
  /** The median over the rounds, and the rounds. */
  value: number;
  rounds: number[];
  /** What it may not pass, and on which side; null: for information. */
  budget: { bound: number; isUpper: boolean } | null;
}

export interface ProcessSample {
  /** Since the load began. */
  atMs: number;
  rssMib: number;
  heapMib: number;
  eventLoopDelayP99Ms: number;
}
