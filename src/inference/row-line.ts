/** Rows in order of arrival: the first to take, any to leave, each in constant time. */
import type { WaitingRow } from './work-queue.ts';

/** How much waits. */
export interface Load {
  rows: number;
  elements: number;
}

export class RowLine {
  readonly #sum: Load;
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

  push(row: WaitingRow): void {
    row.previous = this.#last;
    if (this.#last === null) this.#first = row;
    else this.#last.next = row;
    this.#last = row;
    this.#count(1, row.elements);
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
