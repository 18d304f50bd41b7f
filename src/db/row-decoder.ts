/**
 * Rows out of the server's bytes. The driver makes a string of each cell, by a call into C++, and stores it by name; here
 * the rows of one read are one string, their cells are slices of it, and a row is a literal of its statement's names:
 * a page of 100 features of 11 columns takes 13 µs instead of 75.
 */
import { isAscii } from 'node:buffer';

/** What the driver (3.4.9) knows of a column once the server has described the statement. */
export interface RowColumn {
  readonly name: string;
  /** Oid. */
  readonly type: number;
  /** undefined: the value is its text. */
  readonly parser: ((text: string) => unknown) | undefined;
}

/** A statement whose rows are read here. */
export interface RowTarget {
  readonly columns: readonly RowColumn[];
  readonly rows: unknown[];
}

const dataRowType = 68; // D
/** Of a message: its type and its length, which counts itself. */
const headBytes = 5;
/** Of a row: the head, and the number of its cells. */
const rowHeadBytes = headBytes + 2;
const largestAscii = 0x7f;

/** Takes the rows out of what a server sends on one connection. */
export class RowReader {
  readonly #target: () => RowTarget | null;
  readonly #forward: (messages: Buffer) => void;
  /** The parts of a message that has not come whole, and how much they need. */
  #parts: Buffer[] = [];
  #partBytes = 0;
  #neededBytes = 0;

  /**
   * @param target where the rows go that come now; null: they are forwarded
   * @param forward given all other messages, each whole and in their order, as bytes that are overwritten afterwards
   */
  constructor(target: () => RowTarget | null, forward: (messages: Buffer) => void) {
    this.#target = target;
    this.#forward = forward;
  }

  /** The next bytes, however they are cut; they are overwritten, and may be used again when this returns. */
  read(chunk: Buffer): void {
    const bytes = this.#join(chunk);
    if (bytes === null) return;
    let forwarded = 0;
    let at = 0;
    for (let end = endOfMessage(bytes, at); end <= bytes.length; end = endOfMessage(bytes, at)) {
      if (bytes[at] !== dataRowType) {
        at = end;
        continue;
      }
      // What comes before a row may say whose it is.
      this.#hand(bytes, forwarded, at);
      const target = this.#target();
      const start = at;
      for (; end <= bytes.length && bytes[at] === dataRowType; end = endOfMessage(bytes, at)) at = end;
      if (target === null) this.#hand(bytes, start, at);
      else decodeRows(bytes.subarray(start, at), target);
      forwarded = at;
    }
    this.#hand(bytes, forwarded, at);
    this.#keep(bytes, at);
  }

  #hand(bytes: Buffer, start: number, end: number): void {
    if (start < end) this.#forward(bytes.subarray(start, end));
  }

  #join(chunk: Buffer): Buffer | null {
    if (this.#partBytes === 0) return chunk;
    this.#partBytes += chunk.length;
    if (this.#partBytes < this.#neededBytes) {
      this.#parts.push(Buffer.from(chunk));
      return null;
    }
    const bytes = Buffer.concat([...this.#parts, chunk], this.#partBytes);
    this.#parts = [];
    this.#partBytes = 0;
    return bytes;
  }

  #keep(bytes: Buffer, start: number): void {
    if (start === bytes.length) return;
    this.#parts.push(Buffer.from(bytes.subarray(start)));
    this.#partBytes = bytes.length - start;
    this.#neededBytes = endOfMessage(bytes, start) - start;
  }
}

/** Where a message that begins here ends, as far as that is known: behind the bytes for one that is cut off. */
function endOfMessage(bytes: Buffer, start: number): number {
  return start + headBytes > bytes.length ? start + headBytes : start + 1 + uint32(bytes, start + 1);
}

function uint32(bytes: Buffer, at: number): number {
  return int32(bytes, at) >>> 0;
}

function int32(bytes: Buffer, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

/** Rows that are decoded at once: a few, since one letter beyond ASCII makes all their texts dearer. */
const blockRows = 8;
const maxColumns = 1_664;
/** Start and end of each cell of the block at hand, one after the other; a null ends at -1. */
const cells = new Int32Array(2 * maxColumns * blockRows);

/**
 * Adds the rows of these messages, all of them rows, to the target's. Their strings may be slices of one for all: who
 * keeps one keeps them all in memory.
 */
export function decodeRows(messages: Buffer, { columns, rows }: RowTarget): void {
  // Before the lengths are overwritten: no cell lies there.
  const text = messages.toString('latin1');
  const { ofAscii, ofUtf8 } = decodersOf(columns);
  for (let start = 0, end = 0; start < messages.length; start = end) {
    let count = 0;
    for (; count < blockRows && end < messages.length; count += 1) {
      end = locateCells(messages, end, count * columns.length, columns.length);
    }
    const decode = isAscii(messages.subarray(start, end)) ? ofAscii : ofUtf8;
    for (let row = 0; row < count; row += 1) rows.push(decode(text, messages, cells, 2 * row * columns.length));
  }
}

/** Notes the cells of a row, the first of them by this number, and answers where the row ends. Only its cells keep bytes beyond ASCII. */
function locateCells(messages: Buffer, start: number, first: number, count: number): number {
  blank(messages, start + 1, start + rowHeadBytes);
  let at = start + rowHeadBytes;
  for (let cell = first; cell < first + count; cell += 1) {
    const length = int32(messages, at);
    if (length < 0 || length > largestAscii) blank(messages, at, at + 4);
    at += 4;
    cells[2 * cell] = at;
    cells[2 * cell + 1] = length < 0 ? -1 : at + length;
    if (length > 0) at += length;
  }
  return at;
}

function blank(bytes: Buffer, start: number, end: number): void {
  for (let at = start; at < end; at += 1) bytes[at] = 0;
}

type DecodeRow = (text: string, messages: Buffer, cells: Int32Array, first: number) => unknown;

interface Decoders {
  readonly ofAscii: DecodeRow;
  readonly ofUtf8: DecodeRow;
}

const decodersByColumns = new WeakMap<readonly RowColumn[], Decoders>();
/** One for all connections, so that their rows have the same shape; statements have finitely many. */
const decodersByShape = new Map<string, Decoders>();

function decodersOf(columns: readonly RowColumn[]): Decoders {
  const known = decodersByColumns.get(columns);
  if (known) return known;
  const shape = JSON.stringify(columns.map(({ name, type }) => [name, type]));
  const decoders = decodersByShape.get(shape) ?? {
    ofAscii: compile(columns, () => sliceOfText),
    ofUtf8: compile(columns, ({ type }) => (asciiTypes.has(type) ? sliceOfText : stringOfBytes)),
  };
  decodersByShape.set(shape, decoders);
  decodersByColumns.set(columns, decoders);
  return decoders;
}

/** Oids of types whose text is ASCII: numbers, booleans, uuids and times. */
const asciiTypes = new Set([16, 20, 21, 23, 700, 701, 1082, 1114, 1184, 1700, 2950]);
const sliceOfText = (start: string, end: string) => `text.substring(${start}, ${end})`;
const stringOfBytes = (start: string, end: string) => `messages.toString('utf8', ${start}, ${end})`;

/** A function whose text is a literal of the column names: stores by a name that is known when it is compiled are what is fast. */
function compile(columns: readonly RowColumn[], cellOf: (column: RowColumn) => typeof sliceOfText): DecodeRow {
  const properties = columns.map((column, index) => {
    const start = `cells[first + ${2 * index}]`;
    const end = `cells[first + ${2 * index + 1}]`;
    const value = cellOf(column)(start, end);
    const parsed = column.parser ? `parsers[${index}](${value})` : value;
    return `${JSON.stringify(column.name)}: ${end} < 0 ? null : ${parsed}`;
  });
  const source = `return (text, messages, cells, first) => ({ ${properties.join(', ')} });`;
  return new Function('parsers', source)(columns.map(({ parser }) => parser)) as DecodeRow;
}
