/** Rows of all calls that wait for a worker: two lanes, and in each a line for rows that may run together. */
import { type BatchLimits, isPadding, pickBatch, type SizedRow } from './batch-layout.ts';
import type { Call } from './call.ts';
import type { Lane, LoadedVersion, Row } from './engine.ts';
import { dropLate, isWantedAfter } from './late-rows.ts';
import type { CheckedRow } from './row-check.ts';
import { EqualRows, hashRow } from './row-equality.ts';
import { type Load, RowLine } from './row-line.ts';

/** A row of a call that has not run yet, or runs. */
export interface WaitingRow extends SizedRow {
  /** Of a caller that still wants it: one whose call has ended may change its arrays. */
  row: Row;
  readonly call: Call;
  /** Where its result belongs in the answer of its call. */
  readonly index: number;
  /** The equal row that came first and runs for this one too; null when this one runs itself. */
  readonly leader: WaitingRow | null;
  /** Rows that this one leads. */
  followers: WaitingRow[] | null;
  /** How many of this row and its followers belong to calls that have not ended. */
  wanted: number;
  /** The line it waits in; null when it runs, or has run, or waits to run again. */
  line: RowLine | null;
  isWaiting: boolean;
  /** Equal rows have equal ones; null for a row that is not shared. */
  readonly hash: number | null;
  sameBucket: WaitingRow | null;
  /** By order of arrival. */
  readonly sequence: number;
  previous: WaitingRow | null;
  next: WaitingRow | null;
}

/** Rows that run together. */
export interface Batch {
  readonly version: LoadedVersion;
  readonly rows: readonly WaitingRow[];
  /** A worker died while it ran this, or a batch that this is a part of. */
  readonly isSuspect: boolean;
  /** What is left to find the rows that fail, shared by all parts of one batch that failed. */
  readonly search: { runs: number; deaths: number };
}

/** What take() asks of the one who knows workers and what batches cost. `waiting` is what waits in the line to take from. */
export interface Terms {
  /** performance.now(). */
  readonly now: number;
  /** No worker is idle: the batch will be the next of one that runs another. */
  readonly isStaged: boolean;
  limitsOf(version: LoadedVersion, waiting: Readonly<Load>): BatchLimits;
  /** When the batch will be done. */
  doneAt(version: LoadedVersion, limits: BatchLimits, waiting: Readonly<Load>): number;
  /** Whether to stage a batch of interactive rows; otherwise more gather until a worker is idle. */
  isWorthStaging(version: LoadedVersion, limits: BatchLimits, waiting: Readonly<Load>): boolean;
}

type Stream = Readonly<Record<Lane, RowLine>>;

interface VersionQueue {
  readonly isPadded: boolean;
  readonly streams: Map<string, Stream>;
  readonly loads: Readonly<Record<Lane, Load>>;
}

// After so many interactive batches a waiting bulk batch gets its turn.
const interactiveTurns = 8;
// A small batch is chosen out of so many rows, so that rows of similar length find each other.
const minWindowRows = 256;
// Finding one failing row of 1,024 takes 20.
const searchRuns = 64;
// Finding one killing row of 1,024 takes 10, each a worker that has to start anew.
const searchDeaths = 16;
// Versions of which nothing waits cost a look with each batch; making their queues anew costs more.
const keptVersions = 32;

export class WorkQueue {
  readonly #again: Batch[] = [];
  readonly #versions = new Map<LoadedVersion, VersionQueue>();
  readonly #equal = new EqualRows();
  #rows = 0;
  #turns = 0;
  #sequence = 0;

  /** Rows that wait, counted for each who asked for them. */
  get rows(): number {
    return this.#rows;
  }

  /** Puts the rows of a call at the end of its lane, as what is to leave() when the call ends early. */
  add(version: LoadedVersion, rows: readonly CheckedRow[], call: Call, lane: Lane): void {
    this.#rows += rows.length;
    call.rows = rows.map((row) => this.#enqueue(version, row, call, lane));
  }

  /** Once for each row of a call that has ended early. */
  leave(row: WaitingRow): void {
    const leader = row.leader ?? row;
    leader.wanted--;
    if (leader.wanted > 0) leader.row = leader.followers!.find(({ call }) => !call.isSettled)?.row ?? leader.row;
    if (!leader.isWaiting) return;
    this.#rows--;
    if (leader.wanted > 0 || leader.line === null) return;
    this.#removeFromLine(leader);
    leader.isWaiting = false;
  }

  /** Puts a batch that has run already, or a part of it, in front of everything. */
  addAgain(batch: Batch): void {
    for (const row of batch.rows) {
      row.isWaiting = true;
      this.#rows += row.wanted;
    }
    this.#again.push(batch);
  }

  /**
   * The next batch to run: what runs again, then interactive, then bulk. Undefined when nothing waits, or what waits is not
   * to be staged: bulk rows are only when it is their turn, so that interactive ones that come meanwhile do not wait for
   * them, and what runs again waits for an idle worker, as nothing passes it. Calls that would be answered too late end on the
   * way.
   */
  take(terms: Terms): Batch | undefined {
    if (terms.isStaged && this.#again.length > 0) return undefined;
    for (let batch = this.#again.shift(); batch !== undefined; batch = this.#again.shift()) {
      const rows = batch.rows.filter((row) => isWantedAfter(row, terms.now));
      for (const row of batch.rows) this.#start(row);
      if (rows.length > 0) return { ...batch, rows };
    }
    const isBulkTurn = this.#turns >= interactiveTurns;
    for (const lane of isBulkTurn ? (['bulk', 'interactive'] as const) : (['interactive', 'bulk'] as const)) {
      if (terms.isStaged && lane === 'bulk' && !isBulkTurn) continue;
      const batch = this.#takeFrom(lane, terms);
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
      for (const row of rows) {
        calls.add(row.call);
        for (const { call } of row.followers ?? []) calls.add(call);
      }
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

  /** Adds up what a new row of the lane would wait for, version by version. */
  sumBefore(lane: Lane, msOf: (version: LoadedVersion, load: Readonly<Load>) => number): number {
    let totalMs = 0;
    for (const { version, rows } of this.#again) {
      const elements = rows.reduce((sum, row) => sum + row.elements, 0);
      totalMs += msOf(version, { rows: rows.length, elements });
    }
    for (const [version, { loads }] of this.#versions) {
      if (loads.interactive.rows > 0) totalMs += msOf(version, loads.interactive);
      if (lane === 'bulk' && loads.bulk.rows > 0) totalMs += msOf(version, loads.bulk);
    }
    return totalMs;
  }

  /** What waits of a version in a lane; undefined when nothing of it waits in any. */
  loadOf(version: LoadedVersion, lane: Lane): Readonly<Load> | undefined {
    return this.#versions.get(version)?.loads[lane];
  }

  #enqueue(version: LoadedVersion, row: CheckedRow, call: Call, lane: Lane): WaitingRow {
    const { manifest } = version;
    const line = this.#lineOf(version, row, lane);
    const hash = manifest.deterministic ? hashRow(manifest, row.row) : null;
    const leader = hash === null ? null : this.#equal.find(hash, line, manifest, row.row);
    const waiting: WaitingRow = {
      row: row.row,
      axes: row.axes,
      elements: row.elements,
      call,
      index: row.index,
      leader,
      followers: null,
      wanted: 1,
      line,
      isWaiting: true,
      hash,
      sameBucket: null,
      sequence: this.#sequence++,
      previous: null,
      next: null,
    };
    if (leader === null) {
      line.push(waiting);
      if (hash !== null) this.#equal.add(waiting);
      return waiting;
    }
    leader.followers ??= [];
    leader.followers.push(waiting);
    leader.wanted++;
    return waiting;
  }

  #lineOf(version: LoadedVersion, { axes }: SizedRow, lane: Lane): RowLine {
    let queue = this.#versions.get(version);
    if (queue === undefined) {
      const loads = { interactive: { rows: 0, elements: 0 }, bulk: { rows: 0, elements: 0 } };
      queue = { isPadded: isPadding(version.manifest), streams: new Map(), loads };
      this.#versions.set(version, queue);
    }
    const shape = queue.isPadded || axes.length === 0 ? '' : axes.join();
    let stream = queue.streams.get(shape);
    if (stream === undefined) {
      const { interactive, bulk } = queue.loads;
      stream = { interactive: new RowLine(interactive), bulk: new RowLine(bulk) };
      queue.streams.set(shape, stream);
    }
    return stream[lane];
  }

  #takeFrom(lane: Lane, terms: Terms): Batch | undefined {
    for (let next = this.#oldest(lane); next !== undefined; next = this.#oldest(lane)) {
      const { version, stream } = next;
      const line = stream[lane];
      const limits = terms.limitsOf(version, line);
      if (terms.isStaged && lane === 'interactive' && !terms.isWorthStaging(version, limits, line)) return undefined;
      const doneAt = terms.doneAt(version, limits, line);
      const window = dropLate(line.peek(Math.max(limits.maxRows, minWindowRows)), terms.now, doneAt);
      if (window.length === 0) continue;
      const rows = [...pickBatch(window, limits)];
      for (const row of rows) this.#start(row);
      if (lane === 'interactive') this.#fill(rows, stream.bulk, limits, doneAt);
      return { version, rows, isSuspect: false, search: { runs: searchRuns, deaths: searchDeaths } };
    }
    return undefined;
  }

  // Bulk rows take the places that are left, unless they would make the batch longer for interactive ones.
  #fill(rows: WaitingRow[], bulk: RowLine, { maxRows, maxElements }: BatchLimits, doneAt: number): void {
    if (bulk.first === null) return;
    const longest = rows.reduce((most, row) => Math.max(most, row.elements), 1);
    const places = Math.min(maxRows, Math.floor(maxElements / longest)) - rows.length;
    const full = rows.length + places;
    for (const row of bulk.peek(Math.max(places, minWindowRows))) {
      if (rows.length >= full) return;
      if (row.elements > longest || !isWantedAfter(row, doneAt)) continue;
      this.#start(row);
      rows.push(row);
    }
  }

  // The stream whose first row waits longest. Streams of a shape in which nothing waits are forgotten on the way, and
  // versions when they are many.
  #oldest(lane: Lane): { version: LoadedVersion; stream: Stream } | undefined {
    let oldest: { version: LoadedVersion; stream: Stream } | undefined;
    let sequence = Number.POSITIVE_INFINITY;
    const isCrowded = this.#versions.size > keptVersions;
    for (const [version, { streams }] of this.#versions) {
      for (const [shape, stream] of streams) {
        const isEmpty = stream.interactive.first === null && stream.bulk.first === null;
        if (isEmpty && (shape !== '' || isCrowded)) streams.delete(shape);
        const first = stream[lane].first;
        if (first === null || first.sequence >= sequence) continue;
        sequence = first.sequence;
        oldest = { version, stream };
      }
      if (streams.size === 0 && isCrowded) this.#versions.delete(version);
    }
    return oldest;
  }

  #start(row: WaitingRow): void {
    if (!row.isWaiting) return;
    row.isWaiting = false;
    this.#rows -= row.wanted;
    this.#removeFromLine(row);
  }

  #removeFromLine(row: WaitingRow): void {
    if (row.line === null) return;
    row.line.remove(row);
    row.line = null;
    if (row.hash !== null) this.#equal.remove(row);
  }
}
