/**
 * Things that come and go all the time, in the order in which they came. A Set would do, but for garbage collection: each
 * time it has been written full it moves to a new table, to which the old one points. Once one of these is old, all later
 * ones stay until the next full collection, and with them all that was in them (V8 14): 1,340 bytes a request for the
 * answers in flight of a bare server, 15 without.
 */
export class LinkedList<Value> {
  #first: Link<Value> | null = null;
  #last: Link<Value> | null = null;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** null: it is empty. */
  get first(): Link<Value> | null {
    return this.#first;
  }

  /** Behind all others; what is returned is for `remove`. */
  add(value: Value): Link<Value> {
    const link = new Link(value, this.#last);
    if (this.#last === null) this.#first = link;
    else this.#last.next = link;
    this.#last = link;
    this.#size += 1;
    return link;
  }

  /** Once only; what was removed already is left alone. */
  remove(link: Link<Value>): void {
    if (link.isRemoved) return;
    const { previous, next } = link;
    if (previous === null) this.#first = next;
    else previous.next = next;
    if (next === null) this.#last = previous;
    else next.previous = previous;
    link.isRemoved = true;
    link.previous = null;
    link.next = null;
    this.#size -= 1;
  }

  /** In their order; what comes meanwhile is included. */
  *[Symbol.iterator](): Generator<Value> {
    for (let link = this.#first; link !== null; link = link.next) yield link.value;
  }
}

export class Link<Value> {
  readonly value: Value;
  previous: Link<Value> | null;
  next: Link<Value> | null = null;
  isRemoved = false;

  constructor(value: Value, previous: Link<Value> | null) {
    this.value = value;
    this.previous = previous;
  }
}
