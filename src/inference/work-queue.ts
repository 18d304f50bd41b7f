/** Rows of all calls that wait for a worker: two lanes, and in each a line for rows that may run together. */
import { type BatchLimits, isPadding, pickBatch, type SizedRow } from './batch-layout.ts';
import type { Call } from './call.ts';
import type { Lane, LoadedVersion, Row } from './engine.ts';
import type { Manifest } from './manifest.ts';
import type { CheckedRow } from './row-check.ts';
import { RowLine } from './row-line.ts';

/** Who wants the result of a row, and where in the answer it belongs. */
export interface Taker {
  readonly call: Call;
  readonly index: number;
  readonly row: Row;
}

/** A row that waits once for all who asked for it. */
export interface WaitingRow extends SizedRow {
  /** Of a taker that still wants it: a caller whose call has ended may change its arrays. */
  row: Row;
  readonly takers: Taker[];
  /** Takers whose calls have not ended. */
  wanted: number;
  /** The line it waits in; null when it runs, or has run, or waits to run again. */
  line: RowLine | null;
  isWaiting: boolean;
  /** Equal inputs have equal keys; null for a row that is not shared. */
  readonly key: string | null;
  /** By order of arrival. */
  readonly sequence: number;
  previous: WaitingRow | null;
  next: WaitingRow | null;
}

/** Rows that run together. */
export interface Batch {
  readonly version: LoadedVersion;
  readonly rows: readonly WaitingRow[];
  /** The worker of its first attempt died. */
  readonly isRetry: boolean;
  /** Runs left to find the rows that fail, shared by all parts of one batch that failed. */
  readonly search: { runsLeft: number };
}

export interface Load {
  readonly rows: number;
  readonly elements: number;
}

type LimitsOf = (version: LoadedVersion) => BatchLimits;
type Stream = Readonly<Record<Lane, RowLine>>;

// After so many interactive batches a waiting bulk batch gets its turn.
const interactiveTurns = 8;
// A small batch is chosen out of so many rows, so that rows of similar length find each other.
const minWindowRows = 256;
// Longer rows are rarely asked for twice within a few milliseconds.
const maxKeyBytes = 1024;
// Finding one failing row of 1,024 takes 20.
const searchRuns = 64;

export class WorkQueue {
  readonly #again: Batch[] = [];
  readonly #versions = new Map<LoadedVersion, { isPadded: boolean; streams: Map<string, Stream> }>();
  #rows = 0;
  #turns = 0;
  #sequence = 0;

  /** Rows that wait, counted for each who asked for them. */
  get rows(): number {
    return this.#rows;
  }

  /** Puts the rows of a call at the end of its lane; answers what is to leave() when the call ends early. */
  add(version: LoadedVersion, rows: readonly CheckedRow[], call: Call, lane: Lane): WaitingRow[] {
    this.#rows += rows.length;
    return rows.map((row) => {
      const line = this.#lineOf(version, row, lane);
      const key = version.manifest.deterministic ? rowKey(version.manifest, row.row) : null;
      const equal = key === null ? undefined : line.find(key);
      const taker = { call, index: row.index, row: row.row };
      if (equal === undefined) return this.#enqueue(line, row, taker, key);
      equal.takers.push(taker);
      equal.wanted++;
      return equal;
    });
  }

  /** Once for each row that add() answered: the call that it was added for has ended. */
  leave(row: WaitingRow): void {
    row.wanted--;
    if (!row.isWaiting) return;
    this.#rows--;
    if (row.wanted > 0 || row.line === null) return;
    row.line.remove(row);
    row.line = null;
    row.isWaiting = false;
  }

  /** Puts a batch that has run already, or a part of it, in front of everything. */
  addAgain(batch: Batch): void {
    for (const row of batch.rows) {
      row.isWaiting = true;
      this.#rows += row.wanted;
    }
    this.#again.push(batch);
  }

  /** The next batch to run, or undefined when nothing waits: what runs again, then interactive, then bulk. */
  take(limitsOf: LimitsOf, now: number): Batch | undefined {
    for (let batch = this.#again.shift(); batch !== undefined; batch = this.#again.shift()) {
      const rows = batch.rows.filter((row) => isWanted(row, now));
      for (const row of batch.rows) this.#start(row);
      if (rows.length > 0) return { ...batch, rows };
    }
    const isBulkTurn = this.#turns >= interactiveTurns;
    for (const lane of isBulkTurn ? (['bulk', 'interactive'] as const) : (['interactive', 'bulk'] as const)) {
      const batch = this.#takeFrom(lane, limitsOf, now);
      if (batch === undefined) continue;
      this.#turns = lane === 'bulk' ? 0 : this.#turns + 1;
      return batch;
    }
    return undefined;
  }

  /** The calls of which something waits. */
  calls(): Set<Call> {
    const calls = new Set<Call>();
    const collect = (rows: readonly WaitingRow[]) => {
      for (const { takers } of rows) for (const { call } of takers) calls.add(call);
    };
    for (const { rows } of this.#again) collect(rows);
    for (const { streams } of this.#versions.values()) {
      for (const { interactive, bulk } of streams.values()) {
        collect(interactive.peek(interactive.rows));
        collect(bulk.peek(bulk.rows));
      }
    }
    return calls;
  }

  /** What a new row of the lane would wait for, of each version. */
  loadBefore(lane: Lane): Map<LoadedVersion, Load> {
    const loads = new Map<LoadedVersion, Load>();
    const count = (version: LoadedVersion, { rows, elements }: Load) => {
      const load = loads.get(version) ?? { rows: 0, elements: 0 };
      loads.set(version, { rows: load.rows + rows, elements: load.elements + elements });
    };
    for (const { version, rows } of this.#again) {
      for (const { elements } of rows) count(version, { rows: 1, elements });
    }
    for (const [version, { streams }] of this.#versions) {
      for (const { interactive, bulk } of streams.values()) {
        count(version, interactive);
        if (lane === 'bulk') count(version, bulk);
      }
    }
    return loads;
  }

  #enqueue(line: RowLine, { row, axes, elements }: CheckedRow, taker: Taker, key: string | null): WaitingRow {
    const position = { line, sequence: this.#sequence++, previous: null, next: null };
    const waiting: WaitingRow = { row, axes, elements, takers: [taker], wanted: 1, isWaiting: true, key, ...position };
    line.push(waiting);
    return waiting;
  }

  #lineOf(version: LoadedVersion, { axes }: SizedRow, lane: Lane): RowLine {
    let ofVersion = this.#versions.get(version);
    if (ofVersion === undefined) {
      ofVersion = { isPadded: isPadding(version.manifest), streams: new Map() };
      this.#versions.set(version, ofVersion);
    }
    const shape = ofVersion.isPadded || axes.size === 0 ? '' : JSON.stringify([...axes]);
    let stream = ofVersion.streams.get(shape);
    if (stream === undefined) {
      stream = { interactive: new RowLine(), bulk: new RowLine() };
      ofVersion.streams.set(shape, stream);
    }
    return stream[lane];
  }

  #takeFrom(lane: Lane, limitsOf: LimitsOf, now: number): Batch | undefined {
    for (let next = this.#oldest(lane); next !== undefined; next = this.#oldest(lane)) {
      const { version, stream } = next;
      const limits = limitsOf(version);
      const window = stream[lane].peek(Math.max(limits.maxRows, minWindowRows)).filter((row) => isWanted(row, now));
      if (window.length === 0) continue;
      const rows = [...pickBatch(window, limits)];
      for (const row of rows) this.#start(row);
      if (lane === 'interactive') this.#fill(rows, stream.bulk, limits, now);
      return { version, rows, isRetry: false, search: { runsLeft: searchRuns } };
    }
    return undefined;
  }

  // Bulk rows take the places that are left, unless they would make the batch longer for interactive ones.
  #fill(rows: WaitingRow[], bulk: RowLine, { maxRows, maxElements }: BatchLimits, now: number): void {
    if (bulk.first === null) return;
    const longest = rows.reduce((most, row) => Math.max(most, row.elements), 1);
    const places = Math.min(maxRows, Math.floor(maxElements / longest)) - rows.length;
    const full = rows.length + places;
    for (const row of bulk.peek(Math.max(places, minWindowRows))) {
      if (rows.length >= full) return;
      if (row.elements > longest || !isWanted(row, now)) continue;
      this.#start(row);
      rows.push(row);
    }
  }

  // The stream whose first row waits longest. Streams in which nothing waits are forgotten on the way.
  #oldest(lane: Lane): { version: LoadedVersion; stream: Stream } | undefined {
    let oldest: { version: LoadedVersion; stream: Stream } | undefined;
    let sequence = Number.POSITIVE_INFINITY;
    for (const [version, { streams }] of this.#versions) {
      for (const [shape, stream] of streams) {
        if (stream.interactive.first === null && stream.bulk.first === null) streams.delete(shape);
        const first = stream[lane].first;
        if (first === null || first.sequence >= sequence) continue;
        sequence = first.sequence;
        oldest = { version, stream };
      }
      if (streams.size === 0) this.#versions.delete(version);
    }
    return oldest;
  }

  #start(row: WaitingRow): void {
    if (!row.isWaiting) return;
    row.isWaiting = false;
    this.#rows -= row.wanted;
    row.line?.remove(row);
    row.line = null;
  }
}

// Ends calls whose time is up on the way; what nobody wants any more leaves the queue by that.
function isWanted(row: WaitingRow, now: number): boolean {
  for (const { call } of row.takers) call.expireIfDue(now);
  if (row.takers.length > 1) row.row = (row.takers.find(({ call }) => !call.isSettled) ?? row).row;
  return row.wanted > 0;
}

// Equal bits only: 0 and -0 differ. The dims say how many bytes follow, so no two rows share a key by chance.
function rowKey({ inputs }: Manifest, row: Row): string | null {
  let key = '';
  for (const { name } of inputs) {
    const { data, dims } = row[name]!;
    if (key.length + data.byteLength > maxKeyBytes) return null;
    key += `${dims.join()}:${Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('latin1')}`;
  }
  return key;
}
