/**
 * The JSON texts of a field's values, held apart until the answer is written from its first letter to its last. Appending is
 * the cheapest way to write it: 16 µs for 840 values, 20 with a text for each object on the way up, 31 with a list of pieces
 * that is joined, 53 straight into a buffer.
 */
export interface Column {
  /** The text so far with this row's value behind it. */
  append(text: string, row: number): string;
}

export class LeafColumn implements Column {
  readonly #texts: readonly string[];

  constructor(texts: readonly string[]) {
    this.#texts = texts;
  }

  append(text: string, row: number): string {
    return text + this.#texts[row]!;
  }
}

/** The same text for all. */
export class ConstantColumn implements Column {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  append(text: string): string {
    return text + this.#text;
  }
}

export class ObjectColumn implements Column {
  readonly #openings: readonly string[];
  readonly #columns: readonly Column[];

  /** @param openings what stands before each column's text: `{"id":` or `,"name":` */
  constructor(openings: readonly string[], columns: readonly Column[]) {
    this.#openings = openings;
    this.#columns = columns;
  }

  append(text: string, row: number): string {
    const openings = this.#openings;
    const columns = this.#columns;
    let appended = columns.length === 0 ? `${text}{` : text;
    for (let index = 0; index < columns.length; index++) {
      appended = columns[index]!.append(appended + openings[index]!, row);
    }
    return `${appended}}`;
  }
}

export class ListColumn implements Column {
  readonly #ends: readonly number[];
  readonly #items: Column;

  /** @param ends where each list ends among the items of all, one list after the other */
  constructor(ends: readonly number[], items: Column) {
    this.#ends = ends;
    this.#items = items;
  }

  append(text: string, row: number): string {
    const start = row === 0 ? 0 : this.#ends[row - 1]!;
    const end = this.#ends[row]!;
    let appended = `${text}[`;
    for (let item = start; item < end; item++) {
      appended = this.#items.append(item > start ? `${appended},` : appended, item);
    }
    return `${appended}]`;
  }
}

/** Values that stand elsewhere: several rows may share one, and some have none. */
export class PlacedColumn implements Column {
  readonly #places: readonly number[];
  readonly #column: Column;

  /** @param places the row of each value in the column; -1: null */
  constructor(places: readonly number[], column: Column) {
    this.#places = places;
    this.#column = column;
  }

  append(text: string, row: number): string {
    const place = this.#places[row]!;
    return place < 0 ? `${text}null` : this.#column.append(text, place);
  }
}

/** Each row from a column of its own kind. */
export class MixedColumn implements Column {
  readonly #columnOf: readonly Column[];
  readonly #places: readonly number[];

  /** @param columnOf the column of each row, and @param places its row there */
  constructor(columnOf: readonly Column[], places: readonly number[]) {
    this.#columnOf = columnOf;
    this.#places = places;
  }

  append(text: string, row: number): string {
    return this.#columnOf[row]!.append(text, this.#places[row]!);
  }
}
