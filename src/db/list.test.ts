import * as fc from 'fast-check';
import { isObjectType } from 'graphql';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { insertPredictions } from '../domains/predictions/queries.ts';
import { schema } from '../schema/index.ts';
import { type ListCase, listCases, type Question, type World } from '../testing/list-cases.ts';
import { createWorld, deleteRow, insertRows, listRows, type OracleRow } from '../testing/list-oracle.ts';
import { fetchPages, type PageAnswer, type PageWish } from '../testing/list-pages.ts';
import { type RandomRow, randomRows, type Wish, wishes } from '../testing/random-rows.ts';
import { countStatements, createTestApp, type TestApp } from '../testing/test-app.ts';

let app: TestApp;
let client: postgres.Sql;

beforeAll(async () => {
  app = await createTestApp();
  client = postgres({ ...app.database.connection, max: 1, prepare: false, fetch_types: false, onnotice: () => {} });
  for (const [table, isById] of Object.entries({ messages: true, predictions: true, readings: false })) {
    await client.unsafe(`select ensure_month_partitions('${table}', ${isById}, '2026-01-01Z', '2026-02-01Z')`);
  }
});

afterAll(async () => {
  await client.end();
  await app.close();
});

/** A page's arguments before there are cursors: an index picks one of the rows there are. */
interface PageDraw {
  size: number | null;
  isBackward: boolean;
  after: number | null;
  before: number | null;
}

const sizes = fc.oneof(fc.nat(6), fc.nat(100));
const pageDraws = fc.record<PageDraw>({
  size: fc.option(sizes),
  isBackward: fc.boolean(),
  after: fc.option(fc.nat(59), { freq: 2 }),
  before: fc.option(fc.nat(59), { freq: 2 }),
});

const pageRuns = fc.record({
  rows: randomRows,
  wish: wishes,
  draws: fc.array(pageDraws, { minLength: 1, maxLength: 8 }),
});

/** What happens between two pages of a walk: rows are added, and one of those there are is deleted. */
interface Change {
  added: number;
  deleted: number | null;
}

const walkRuns = fc.record({
  rows: randomRows,
  wish: wishes,
  isBackward: fc.boolean(),
  sizes: fc.array(sizes, { minLength: 1, maxLength: 6 }).filter((list) => list.some((size) => size > 0)),
  changes: fc.oneof(
    fc.constant<Change[]>([]),
    fc.array(fc.record<Change>({ added: fc.nat(4), deleted: fc.option(fc.nat(59)) }), { minLength: 1, maxLength: 10 }),
  ),
});

describe.each(listCases)('$field', (list) => {
  test('answers every page as a plain statement orders its rows', { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(pageRuns, ({ rows, wish, draws }) => checkPages(list, rows, wish, draws)),
      { numRuns: 40 },
    );
  });

  test('is walked completely and in order while rows come and go', { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(walkRuns, (run) => checkWalk(list, run)),
      { numRuns: 50 },
    );
  });
});

test('a prediction stored later than it was made is listed by when it was made', async () => {
  const [from, to] = ['2026-02-03T00:00:00.000Z', '2026-02-03T00:00:01.000Z'];
  const record = { model: 'sentiment', version: '1', precision: 'FP32', latencyMs: 1, batchSize: 1 } as const;
  const ended = { cacheHits: 0, error: null, shadowOf: null, agreedRows: null };
  const createdAt = '2026-02-03T00:00:00.007Z';
  await insertPredictions(app.database.pool, [
    { ...record, ...ended, organizationId: app.viewer.organizationId, createdAt },
  ]);
  const answer = await app.query(
    'query ($range: TimeRange!) { predictions(filter: { createdAt: $range }) { nodes { createdAt } } }',
    { range: { from, to } },
  );
  expect(answer.data.predictions.nodes).toEqual([{ createdAt }]);
});

test('the lists above are all connections of the schema', () => {
  const fields = Object.values(schema.getTypeMap())
    .filter(isObjectType)
    .flatMap((type) => Object.values(type.getFields()))
    .filter((field) => String(field.type).endsWith('Connection!'))
    .map((field) => field.name);
  expect(listCases.map((list) => list.field).sort()).toEqual(fields.sort());
});

async function checkPages(list: ListCase, rows: readonly RandomRow[], wish: Wish, draws: readonly PageDraw[]) {
  const world = await createWorld(client, list);
  await insertRows(client, list, world, rows);
  const question = list.ask(wish, world);
  const all = await listRows(client, list, world, question);
  const cursors = await fetchCursors(list, world, question, all);
  for (const draw of draws) {
    const after = draw.after === null ? undefined : all[draw.after % all.length];
    const before = draw.before === null ? undefined : all[draw.before % all.length];
    const page: PageWish = {
      first: draw.isBackward ? null : draw.size,
      last: draw.isBackward ? (draw.size ?? 3) : null,
      after: after ? cursors.get(after.identity)! : null,
      before: before ? cursors.get(before.identity)! : null,
    };
    const parents = list.parent ? world.parents : [null];
    let answers: PageAnswer[] = [];
    const statements = await countStatements(app, async () => {
      const pages = parents.map((parent) => ({ parent, page }));
      answers = await fetchPages(app, list, world, question, pages);
    });
    expect(statements.filter((name) => name.startsWith('list_'))).toHaveLength(1);
    const expected = parents.map((parent) => expectedPage(all, parent, page, cursors, after, before));
    expect(answers).toEqual(expected);
  }
}

/** The cursor of every row, of all parents. */
async function fetchCursors(list: ListCase, world: World, question: Question, all: readonly OracleRow[]) {
  const page = { first: 100, last: null, after: null, before: null };
  const parents = list.parent ? world.parents : [null];
  const pages = parents.map((parent) => ({ parent, page }));
  const answers = await fetchPages(app, list, world, question, pages);
  const cursors = new Map(
    answers.flatMap(({ identities, cursors }) => identities.map((identity, index) => [identity, cursors[index]!])),
  );
  expect([...cursors.keys()].sort()).toEqual(all.map((row) => row.identity).sort());
  return cursors;
}

/** The page after the Relay specification, out of all rows in order. */
function expectedPage(
  all: readonly OracleRow[],
  parent: string | null,
  { first, last, after, before }: PageWish,
  cursors: ReadonlyMap<string, string>,
  afterRow: OracleRow | undefined,
  beforeRow: OracleRow | undefined,
): PageAnswer {
  const ofParent = all.filter((row) => row.parent === parent);
  const from = afterRow ? all.findLastIndex((row) => row.place === afterRow.place) : -1;
  const to = beforeRow ? all.findIndex((row) => row.place === beforeRow.place) : all.length;
  const between = all.slice(from + 1, Math.max(from + 1, to)).filter((row) => row.parent === parent);
  const size = last ?? first ?? 20;
  const rows = last === null ? between.slice(0, size) : between.slice(Math.max(0, between.length - size));
  const identities = rows.map((row) => row.identity);
  const pageCursors = identities.map((identity) => cursors.get(identity)!);
  return {
    identities,
    cursors: pageCursors,
    totalCount: ofParent.length,
    pageInfo: {
      hasNextPage: last === null ? between.length > size : before !== null,
      hasPreviousPage: last === null ? after !== null : between.length > size,
      startCursor: pageCursors[0] ?? null,
      endCursor: pageCursors.at(-1) ?? null,
    },
  };
}

interface WalkRun {
  rows: RandomRow[];
  wish: Wish;
  isBackward: boolean;
  sizes: number[];
  changes: Change[];
}

/** A walk of one parent: what it has seen, in the list's order, and where it goes on. */
interface Walk {
  parent: string | null;
  seen: string[];
  cursor: string | null;
  isDone: boolean;
}

async function checkWalk(list: ListCase, { rows, wish, isBackward, sizes, changes }: WalkRun) {
  const world = await createWorld(client, list);
  const question = list.ask(wish, world);
  const later = changes.length === 0 ? [] : rows.slice(rows.length / 2);
  await insertRows(client, list, world, rows.slice(0, rows.length - later.length));
  const atStart = await listRows(client, list, world, question);
  const walks = (list.parent ? world.parents : [null]).map(
    (parent): Walk => ({ parent, seen: [], cursor: null, isDone: false }),
  );
  for (let round = 0; walks.some((walk) => !walk.isDone); round += 1) {
    const open = walks.filter((walk) => !walk.isDone);
    await stepWalks(list, world, question, open, sizes[round % sizes.length]!, isBackward);
    const change = changes[round];
    if (change) await applyChange(list, world, question, change, later);
  }
  const atEnd = await listRows(client, list, world, question);
  for (const walk of walks) expectWhole(walk, atStart, atEnd, changes.length === 0);
}

async function stepWalks(
  list: ListCase,
  world: World,
  question: Question,
  walks: Walk[],
  size: number,
  isBackward: boolean,
) {
  const pages = walks.map(({ parent, cursor }) => ({
    parent,
    page: isBackward
      ? { first: null, last: size, after: null, before: cursor }
      : { first: size, last: null, after: cursor, before: null },
  }));
  const answers = await fetchPages(app, list, world, question, pages);
  walks.forEach((walk, index) => {
    const { identities, pageInfo } = answers[index]!;
    expect(isBackward ? pageInfo.hasNextPage : pageInfo.hasPreviousPage).toBe(walk.cursor !== null);
    // Also ends a walk that would go round in circles.
    expect(identities.filter((identity) => walk.seen.includes(identity))).toEqual([]);
    walk.seen = isBackward ? [...identities, ...walk.seen] : [...walk.seen, ...identities];
    walk.cursor = (isBackward ? pageInfo.startCursor : pageInfo.endCursor) ?? walk.cursor;
    walk.isDone = !(isBackward ? pageInfo.hasPreviousPage : pageInfo.hasNextPage);
  });
}

async function applyChange(list: ListCase, world: World, question: Question, change: Change, later: RandomRow[]) {
  await insertRows(client, list, world, later.splice(0, change.added));
  if (change.deleted === null) return;
  const rows = await listRows(client, list, world, question);
  const row = rows[change.deleted % rows.length];
  if (row) await deleteRow(client, list, world, row.identity);
}

/** Rows that were there all the time were seen once, in order; so was what came in time to be met. */
function expectWhole(walk: Walk, atStart: readonly OracleRow[], atEnd: readonly OracleRow[], isUnchanged: boolean) {
  const identitiesOf = (rows: readonly OracleRow[]) =>
    rows.filter((row) => row.parent === walk.parent).map((row) => row.identity);
  const end = identitiesOf(atEnd);
  if (isUnchanged) expect(walk.seen).toEqual(end);
  const seen = new Set(walk.seen);
  const present = new Set(end);
  expect(walk.seen.filter((identity) => present.has(identity))).toEqual(end.filter((identity) => seen.has(identity)));
  const stable = identitiesOf(atStart).filter((identity) => present.has(identity));
  expect(stable.filter((identity) => !seen.has(identity))).toEqual([]);
}
