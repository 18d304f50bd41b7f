/** Rows in order of arrival: the first to take, any to leave, and equal ones found, each in constant time. */
import type { WaitingRow } from './work-queue.ts';

export class RowLine {
  readonly #byKey = new Map<string, WaitingRow>();
  #first: WaitingRow | null = null;
  #last: WaitingRow | null = null;
  #rows = 0;
  #elements = 0;

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

  /** The waiting row with this key. */
  find(key: string): WaitingRow | undefined {
    return this.#byKey.get(key);
  }

  push(row: WaitingRow): void {
    row.previous = this.#last;
    if (this.#last === null) this.#first = row;
    else this.#last.next = row;
    this.#last = row;
    this.#rows++;
    this.#elements += row.elements;
    if (row.key !== null) this.#byKey.set(row.key, row);
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
    this.#rows--;
    this.#elements -= row.elements;
    if (row.key !== null) this.#byKey.delete(row.key);
  }

  /** At most so many rows from the front. */
  peek(count: number): WaitingRow[] {
    const rows: WaitingRow[] = [];
    for (let row = this.#first; row !== null && rows.length < count; row = row.next) rows.push(row);
    return rows;
  }
}
