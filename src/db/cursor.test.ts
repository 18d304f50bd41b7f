import { crc32 } from 'node:zlib';
import * as fc from 'fast-check';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ListCase, listCases, type World } from '../testing/list-cases.ts';
import { createWorld, insertRows } from '../testing/list-oracle.ts';
import { fetchPages } from '../testing/list-pages.ts';
import type { RandomRow, Wish } from '../testing/random-rows.ts';
import { createTestApp, type TestApp } from '../testing/test-app.ts';
import { decodeCursor, encodeCursor, type KeyType } from './cursor.ts';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const id = '019c167f-cbff-7000-8000-00000000abcd';
const scope = 'features:NAME';
const types: KeyType[] = ['text', 'uuid'];

const digits = (length: number, max: number) => fc.nat(max).map((number) => String(number).padStart(length, '0'));
const timestamps = fc
  .tuple(fc.integer({ min: 1, max: 9999 }), digits(2, 27), digits(2, 23), digits(2, 59), fc.nat(999_999))
  .map(([year, day, hour, minute, micros]) => {
    const fraction = micros === 0 ? '' : `.${micros}`;
    const date = `${String(year).padStart(4, '0')}-02-${String(Number(day) + 1).padStart(2, '0')}`;
    return `${date} ${hour}:${minute}:07${fraction}+00`;
  });
const valuesOf: Record<KeyType, fc.Arbitrary<string>> = {
  timestamptz: fc.oneof(timestamps, fc.constant('-infinity')),
  uuid: fc.uuid(),
  // Names as the API lets them in; long ones of the widest characters, too.
  text: fc.oneof(
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 200 }).map((text) => text.replaceAll('\0', ' ')),
    fc.constant('😀'.repeat(100)),
  ),
  integer: fc.integer({ min: -32_768, max: 32_767 }).map(String),
};

describe('a cursor', () => {
  test('gives back the values it was made of', () => {
    const keys = fc
      .array(fc.constantFrom<KeyType>('timestamptz', 'uuid', 'text', 'integer'), { minLength: 1, maxLength: 3 })
      .chain((list) => fc.tuple(fc.constant(list), fc.tuple(...list.map((type) => valuesOf[type]))));
    fc.assert(
      fc.property(fc.string(), keys, (name, [list, key]) => {
        const cursor = encodeCursor(name, key);
        expect(cursor).toMatch(/^[\w-]+$/);
        expect(decodeCursor(name, list, cursor)).toEqual(key);
      }),
      { numRuns: 500 },
    );
  });

  test.each(['a', 'ab', 'abc', 'Éclair 😀'])('of %s is refused after any change of one character', (name) => {
    const cursor = encodeCursor(scope, [name, id]);
    for (let at = 0; at < cursor.length; at += 1) {
      for (const character of [...alphabet, '=', '+', '/', ' ', '\0']) {
        if (character === cursor[at]) continue;
        const changed = cursor.slice(0, at) + character + cursor.slice(at + 1);
        expect(decodeCursor(scope, types, changed), changed).toBeNull();
      }
    }
  });

  test('is refused when shorter or longer', () => {
    const cursor = encodeCursor(scope, ['abc', id]);
    for (let length = 0; length < cursor.length; length += 1) {
      expect(decodeCursor(scope, types, cursor.slice(0, length))).toBeNull();
      expect(decodeCursor(scope, types, cursor.slice(length + 1))).toBeNull();
    }
    for (const more of [...alphabet, '=', ' ', '\n']) expect(decodeCursor(scope, types, cursor + more)).toBeNull();
  });

  test('of another list or order is refused', () => {
    const key = ['2026-02-01 00:00:00+00', id];
    const cursor = encodeCursor('features:CREATED_AT', key);
    expect(decodeCursor('features:CREATED_AT', ['timestamptz', 'uuid'], cursor)).toEqual(key);
    expect(decodeCursor('features:UPDATED_AT', ['timestamptz', 'uuid'], cursor)).toBeNull();
    expect(decodeCursor('documents:CREATED_AT', ['timestamptz', 'uuid'], cursor)).toBeNull();
  });

  test('made of anything is refused', () => {
    const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array).toString('base64url'));
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), bytes), (text) => {
        expect(decodeCursor(scope, types, text)).toBeNull();
      }),
      { numRuns: 2000 },
    );
  });
});

/** A cursor with the right checksum, as somebody who read this source could make it. */
function forge(list: string, body: string): string {
  const checksum = crc32(body, crc32(list)).toString(16).padStart(8, '0');
  return Buffer.from(`${checksum}${body}`).toString('base64url');
}

const time = '2026-02-01 00:00:00+00';
const forgedBodies = [
  '',
  'null',
  '{}',
  '{"0":"a","1":"b","length":2}',
  '{"__proto__":["a","b"]}',
  '["__proto__","constructor"]',
  '[',
  `["${time}"]`,
  `["${time}","${id}","${id}"]`,
  `["${time}",null]`,
  `["${time}",["${id}"]]`,
  `["${time}","${id.toUpperCase()}"]`,
  `["${time}","not an id"]`,
  `["2026-02-30 00:00:00+00","${id}"]`,
  `["2026-13-01 00:00:00+00","${id}"]`,
  `["2026-02-01 25:00:00+00","${id}"]`,
  `["2026-02-01 00:00:61+00","${id}"]`,
  `["0000-02-01 00:00:00+00","${id}"]`,
  `["999999-02-01 00:00:00+00","${id}"]`,
  `["now","${id}"]`,
];

describe('the API', () => {
  let app: TestApp;
  let client: postgres.Sql;

  beforeAll(async () => {
    app = await createTestApp();
    client = postgres({ ...app.database.connection, max: 1, fetch_types: false });
  });

  afterAll(async () => {
    await client.end();
    await app.close();
  });

  test.each(listCases)('refuses what is no cursor of $field before any statement', async (list) => {
    const { world, cursor } = await listWithOneRow(client, app, list);
    const others = [
      '',
      '__proto__',
      'A'.repeat(100_000),
      `${cursor.slice(0, -1)}${cursor.endsWith('A') ? 'B' : 'A'}`,
      cursor.slice(1),
      `${cursor}A`,
      encodeCursor('other:CREATED_AT', [time, id]),
      "'; drop table features; --",
    ];
    for (const side of ['after', 'before'] as const) {
      for (const other of others) await expectRefused(app, list, world, side, other);
    }
  });

  test('refuses forged cursors without asking the database', async () => {
    const features = listCases.find((list) => list.field === 'features')!;
    const { world } = await listWithOneRow(client, app, features);
    for (const body of forgedBodies) {
      await expectRefused(app, features, world, 'after', forge('features:CREATED_AT', body));
    }
  });

  test('takes a forged cursor that could be one of the list: it is a position among the viewer’s own rows', async () => {
    const features = listCases.find((list) => list.field === 'features')!;
    const { world } = await listWithOneRow(client, app, features);
    const after = forge('features:CREATED_AT', `["2027-01-01 00:00:00+00","${id}"]`);
    const [page] = await fetchFirst(app, features, world, { after });
    expect(page!.identities).toHaveLength(1);
  });
});

const row: RandomRow = { id, parent: 0, time: 2, otherTime: 1, name: 4, points: 1, kind: 0, user: 0 };
const wish: Wish = { order: 0, isDescending: true, kind: null, kinds: null, user: null, text: null, range: null };

async function listWithOneRow(client: postgres.Sql, app: TestApp, list: ListCase) {
  const world = await createWorld(client, list);
  await insertRows(client, list, world, [row]);
  const [page] = await fetchFirst(app, list, world, {});
  return { world, cursor: page!.cursors[0]! };
}

function fetchFirst(app: TestApp, list: ListCase, world: World, given: { after?: string; before?: string }) {
  const page = { first: 10, last: null, after: null, before: null, ...given };
  return fetchPages(app, list, world, list.ask(wish, world), [{ parent: world.parents[0] ?? null, page }]);
}

async function expectRefused(app: TestApp, list: ListCase, world: World, side: 'after' | 'before', cursor: string) {
  app.database.takeStatements();
  const failure = await fetchFirst(app, list, world, { [side]: cursor }).catch((error: Error) => error);
  expect(failure, cursor.slice(0, 100)).toBeInstanceOf(Error);
  const [error] = JSON.parse((failure as Error).message);
  expect(error.extensions, Buffer.from(cursor.slice(0, 100), 'base64url').toString()).toMatchObject({
    code: 'BAD_USER_INPUT',
    issues: [{ path: side }],
  });
  expect(app.database.takeStatements().filter(({ name }) => name.startsWith('list_'))).toEqual([]);
}
