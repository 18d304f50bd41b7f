/** Rows in order of arrival: the first to take, any to leave, and equal ones found, each in constant time. */
import type { WaitingRow } from './work-queue.ts';

/** How much waits. */
export interface Load {
  rows: number;
  elements: number;
}

export class RowLine {
  readonly #sum: Load;
  readonly #byHash = new Map<number, WaitingRow>();
  #first: WaitingRow | null = null;
  #last: WaitingRow | null = null;
  #rows = 0;
  #elements = 0;

  /** What waits here is part of `sum`, which other lines share. */
  constructor(sum: Load) {
    this.#sum = sum;
  }

  get first(): WaitingRow | null {
    return this.#first;
  }

  get rows(): number {
    return this.#rows;
  }

  /** Of all rows together. */
  get elements(): number {
    return this.#elements;
  }

  /** The first waiting row with this hash, which is equal to another with that hash or, once in a billion, is not. */
  find(hash: number): WaitingRow | undefined {
    return this.#byHash.get(hash);
  }

  push(row: WaitingRow): void {
    row.previous = this.#last;
    if (this.#last === null) this.#first = row;
    else this.#last.next = row;
    this.#last = row;
    this.#count(1, row.elements);
    if (row.hash !== null && !this.#byHash.has(row.hash)) this.#byHash.set(row.hash, row);
  }

  /** Only for a row that waits in this line. */
  remove(row: WaitingRow): void {
    const { previous, next } = row;
    if (previous === null) this.#first = next;
    else previous.next = next;
    if (next === null) this.#last = previous;
    else next.previous = previous;
    row.previous = null;
    row.next = null;
    this.#count(-1, -row.elements);
    if (row.hash !== null && this.#byHash.get(row.hash) === row) this.#byHash.delete(row.hash);
  }

  /** At most so many rows from the front. */
  peek(count: number): WaitingRow[] {
    const rows: WaitingRow[] = [];
    for (let row = this.#first; row !== null && rows.length < count; row = row.next) rows.push(row);
    return rows;
  }

  #count(rows: number, elements: number): void {
    this.#rows += rows;
    this.#elements += elements;
    this.#sum.rows += rows;
    this.#sum.elements += elements;
  }
}
