import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type RowColumn, RowReader } from './row-decoder.ts';

/** What a server sends, made at random, against the rows it was made of; against the driver: connection.test.ts. */
type Cell = string | null;
interface Other {
  type: string;
  body: Uint8Array;
}
type Message = { row: Cell[] } | Other;

const text = 25;
const uuid = 2950;
const integer = 23;
const toNumber = (written: string) => Number(written);

const columnsOf: readonly RowColumn[] = [
  { name: 'id', type: uuid, parser: undefined },
  { name: 'name', type: text, parser: undefined },
  { name: 'say "this"\n', type: text, parser: undefined },
  { name: 'points', type: integer, parser: toNumber },
];

const cell = fc.option(
  fc.oneof(
    fc.string({ maxLength: 12 }),
    fc.string({ minLength: 120, maxLength: 140 }),
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.constantFrom('', 'ä', '\u007f', '\u0080', 'ÿ', '€', '😀', 'x'.repeat(300)),
  ),
);
const row = fc.tuple(fc.option(fc.uuid()), cell, cell, fc.option(fc.integer().map(String)));
const other = fc.record<Other>({
  type: fc.constantFrom('T', 'C', 'Z', 'N', '2'),
  body: fc.uint8Array({ maxLength: 20 }),
});
const messages = fc.array(
  fc.oneof({ arbitrary: row.map((cells): Message => ({ row: cells })), weight: 4 }, { arbitrary: other, weight: 1 }),
  { maxLength: 60 },
);

function encode(message: Message): Buffer {
  if (!('row' in message)) return frame(message.type, Buffer.from(message.body));
  const count = Buffer.alloc(2);
  count.writeInt16BE(message.row.length);
  return frame('D', Buffer.concat([count, ...message.row.flatMap(encodeCell)]));
}

function encodeCell(value: Cell): Buffer[] {
  const length = Buffer.alloc(4);
  const bytes = Buffer.from(value ?? '');
  length.writeInt32BE(value === null ? -1 : bytes.length);
  return [length, bytes];
}

function frame(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(type, 'latin1');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

function expectedOf([id, name, said, points]: Cell[]): object {
  // As the server would: it sends no halves of letters.
  const sent = (value: Cell) => (value === null ? null : Buffer.from(value).toString());
  return { id, name: sent(name!), 'say "this"\n': sent(said!), points: points === null ? null : Number(points) };
}

/** Reads in pieces of these sizes, again and again, out of one buffer, as a socket does. */
function readInPieces(bytes: Buffer, sizes: readonly number[], hasTarget = true) {
  const rows: unknown[] = [];
  const forwarded: Buffer[] = [];
  const target = hasTarget ? { columns: columnsOf, rows } : null;
  const reader = new RowReader(
    () => target,
    (given) => forwarded.push(Buffer.from(given)),
  );
  const buffer = Buffer.alloc(Math.max(...sizes));
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length]!;
    const count = bytes.copy(buffer, 0, at, at + size);
    reader.read(buffer.subarray(0, count));
    buffer.fill(0xff);
    at += count;
  }
  return { rows, forwarded };
}

const sizes = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 5 });

describe('a reader', () => {
  test('finds the rows wherever the bytes are cut, and forwards all else', () => {
    fc.assert(
      fc.property(messages, sizes, (sent, cuts) => {
        const { rows, forwarded } = readInPieces(Buffer.concat(sent.map(encode)), cuts);
        expect(rows).toEqual(sent.flatMap((message) => ('row' in message ? [expectedOf(message.row)] : [])));
        const others = sent.filter((message) => !('row' in message));
        expect(Buffer.concat(forwarded)).toEqual(Buffer.concat(others.map(encode)));
      }),
      { numRuns: 500 },
    );
  });

  test('forwards rows, too, that are nobody’s, each message whole', () => {
    fc.assert(
      fc.property(messages, sizes, (sent, cuts) => {
        const { rows, forwarded } = readInPieces(Buffer.concat(sent.map(encode)), cuts, false);
        expect(rows).toEqual([]);
        expect(Buffer.concat(forwarded)).toEqual(Buffer.concat(sent.map(encode)));
        for (const given of forwarded) expect(given.length).toBe(wholeBytes(given));
      }),
    );
  });

  test('asks whose rows they are after it has forwarded what came before them', () => {
    const events: string[] = [];
    const reader = new RowReader(
      () => {
        events.push('asked');
        return { columns: columnsOf, rows: [] };
      },
      (given) => events.push(given.toString('latin1', 0, 1)),
    );
    const cells = { row: [null, 'a', 'b', '1'] };
    reader.read(
      Buffer.concat(
        [{ type: 'T', body: Buffer.alloc(2) }, cells, cells, { type: 'C', body: Buffer.alloc(0) }, cells].map(encode),
      ),
    );
    expect(events).toEqual(['T', 'asked', 'C', 'asked']);
  });

  test('joins a message of many pieces', () => {
    const huge = 'é'.repeat(3_000_000);
    const { rows } = readInPieces(encode({ row: [null, huge, 'b', null] }), [65_536]);
    expect(rows).toEqual([{ id: null, name: huge, 'say "this"\n': 'b', points: null }]);
  });
});

/** The bytes of the whole messages at the start of these. */
function wholeBytes(bytes: Buffer): number {
  let at = 0;
  while (at + 5 <= bytes.length && at + 1 + bytes.readUInt32BE(at + 1) <= bytes.length) {
    at += 1 + bytes.readUInt32BE(at + 1);
  }
  return at;
}
