import { getTableName } from 'drizzle-orm';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { scopes } from '../context.ts';
import {
  conversationList,
  listConversationsByIds,
  listConversationsWithUsersByIds,
  listMessagesByIds,
  listSentimentSummaries,
  messageList,
} from '../domains/conversations/queries.ts';
import { documentList, listDocumentsByIds } from '../domains/documents/queries/document.ts';
import {
  listPublicFeaturesByIds,
  listPublicTestSummaries,
  publicFeatureList,
} from '../domains/features/public-queries.ts';
import {
  deploymentList,
  featureList,
  listDeploymentsByIds,
  listFeaturesByIds,
  listFeaturesWithOwnersByIds,
  listTestCasesByIds,
  listTestSummaries,
  testCaseList,
} from '../domains/features/queries.ts';
import {
  listPredictionsByIds,
  listSitesByIds,
  predictionList,
  readingList,
  siteList,
} from '../domains/predictions/queries.ts';
import { listCallStatistics } from '../domains/predictions/statistics-queries.ts';
import { type BigTables, endOfTime, loadBigTables, middleOfTime } from '../testing/big-tables.ts';
import {
  type Captured,
  captureStatements,
  explain,
  nodesOf,
  type Plan,
  printPlan,
  rowsRead,
  sortedScans,
} from '../testing/explain.ts';
import { listCases } from '../testing/list-cases.ts';
import { createTestApp } from '../testing/test-app.ts';
import { createTestDatabase, type TestDatabase } from '../testing/test-database.ts';
import type { Database, Value } from './database.ts';
import { firstIdAt } from './id.ts';
import { keyOf, type ListSource } from './keyset.ts';
import type { List, NestedList, PageRequest } from './list.ts';
import { createPool } from './pool.ts';
import type { ListByIds } from './rows-by-id.ts';
import { epochMs } from './time.ts';

const rootLists: List<unknown>[] = [
  featureList,
  publicFeatureList,
  conversationList,
  documentList,
  siteList,
  predictionList,
];
const nestedLists: NestedList<unknown>[] = [testCaseList, deploymentList, messageList, readingList];
const lists = [...rootLists, ...nestedLists].map((list) => ({ name: list.source.name, list }));
/** How Postgres plans a prepared statement the first five times, and how it may plan it later. */
const planModes = ['force_custom_plan', 'force_generic_plan'];
const pageSize = 20;

let database: TestDatabase;
let client: postgres.Sql;
let tables: BigTables;

beforeAll(async () => {
  database = await createTestDatabase(inject('postgres'));
  client = postgres({ ...database.connection, max: 1, prepare: false, onnotice: () => {} });
  tables = await loadBigTables(client);
}, 180_000);

afterAll(async () => {
  await client.end();
  await database.drop();
});

/** Values of every argument a filter takes; a new filter needs its own here. */
function argumentsOf(source: ListSource, filter: string): Record<string, Value> {
  const month = { from: '2025-01-01 00:00:00+00', to: '2025-02-01 00:00:00+00' };
  const created = { createdFrom: month.from, createdTo: month.to };
  const ids = { idFrom: firstIdAt(epochMs(month.from)), idTo: firstIdAt(epochMs(month.to)) };
  const known: Record<string, Record<string, Value>> = {
    status: { status: source === testCaseList.source ? 'FAILED' : 'IN_REVIEW' },
    statusIn: { statusIn: ['IN_REVIEW', 'CANCELLED'] },
    ownerId: { ownerId: tables.userId },
    userId: { userId: tables.userId },
    nameContains: { namePattern: '%report%' },
    createdAt: source === predictionList.source ? ids : created,
    model: { model: 'sentiment' },
    version: { version: '2' },
    environment: { environment: 'STAGING' },
    range: { rangeFrom: month.from, rangeTo: month.to },
  };
  const found = known[filter];
  if (!found) throw new TypeError(`give the filter ${filter} of ${source.name} a value here`);
  return found;
}

/** A place amid the rows and one behind it, by the property of an order's column. */
const places: Record<string, [string, string]> = {
  createdAt: [middleOfTime, endOfTime],
  updatedAt: [middleOfTime, endOfTime],
  lastMessageAt: [middleOfTime, endOfTime],
  at: [middleOfTime, endOfTime],
  name: ['7', 'a'],
  complexityPoints: ['25', '30'],
  id: [firstIdAt(epochMs(middleOfTime)), firstIdAt(epochMs(endOfTime))],
};

function placeIn(source: ListSource, order: string, index: 0 | 1): string[] {
  return keyOf(source, order).map((part) => places[part.property]![index]);
}

/** The sets of filters the schema can set together. */
function filterSets(source: ListSource): string[][] {
  const all: string[][] = [[]];
  for (const filter of Object.keys(source.filters)) all.push(...all.map((set) => [...set, filter]));
  return all
    .filter((set) => source !== predictionList.source || set.includes('model') || !set.includes('version'))
    .filter((set) => source !== readingList.source || set.includes('range'));
}

/** Every text a list can become: filters, orders, directions, with and without cursors. */
function requestsOf(source: ListSource, sets: string[][]): PageRequest[] {
  const orders = Object.keys(source.orders);
  return sets.flatMap((set) =>
    orders.flatMap((order) =>
      (['ASC', 'DESC'] as const).flatMap((direction) => {
        const filters = Object.fromEntries(set.map((filter) => [filter, argumentsOf(source, filter)]));
        const isUp = direction === 'ASC';
        const after = placeIn(source, order, isUp ? 0 : 1);
        const before = placeIn(source, order, isUp ? 1 : 0);
        const page = { filters, order, direction, limit: pageSize, isBackward: false };
        return [
          { ...page, after: null, before: null },
          { ...page, after, before: null },
          { ...page, after: null, before },
          { ...page, after, before },
        ];
      }),
    ),
  );
}

function parentsOf(source: ListSource): string[] {
  if (source === messageList.source) return tables.conversationIds;
  return source === readingList.source ? tables.siteIds : tables.featureIds;
}

async function pageStatement(list: List<unknown> | NestedList<unknown>, request: PageRequest): Promise<Captured> {
  const [captured] = await captureStatements((probe) =>
    'page' in list
      ? list.page(probe, tables.organizationId, request)
      : list.pages(probe, tables.organizationId, parentsOf(list.source), request),
  );
  return captured!;
}

function describeRequest({ filters, order, direction, after, before }: PageRequest, mode: string, plan: Plan): string {
  const cursors = `${after ? ' after' : ''}${before ? ' before' : ''}`;
  return `${mode} [${Object.keys(filters)}] ${order} ${direction}${cursors}: ${printPlan(plan)}`;
}

/** Filters no order's index can hold: what an index finds for them, or for the filters beside them, may be sorted. */
const sortedFilters = ['createdAt', 'nameContains'];

function maySort({ filters }: PageRequest, scan: Plan): boolean {
  const condition = scan['Index Cond'] ?? '';
  if (condition.includes('= parents.id')) return true;
  // More than the organization: never the whole of it.
  return sortedFilters.some((filter) => filter in filters) && condition.includes(' AND ');
}

test('the lists here are all that pages are made of', () => {
  expect(lists.map(({ list }) => getTableName(list.source.table)).sort()).toEqual(
    listCases.map((list) => list.table).sort(),
  );
});

describe.each(lists)('a page of $name', ({ list }) => {
  test.each(planModes)('never reads or sorts the whole table (%s)', async (mode) => {
    await client.unsafe(`set plan_cache_mode = ${mode}`);
    const requests = requestsOf(list.source, filterSets(list.source));
    expect(requests.length).toBeGreaterThanOrEqual(8);
    const faults: string[] = [];
    for (const request of requests) {
      const plan = await explain(client, await pageStatement(list, request));
      const isBad =
        nodesOf(plan).some((node) => node['Node Type'] === 'Seq Scan') ||
        sortedScans(plan).some((scan) => !maySort(request, scan));
      if (isBad) faults.push(describeRequest(request, mode, plan));
    }
    expect(faults).toEqual([]);
  });

  test.each(planModes)(
    'reads little more than it answers under the filters its indexes start with (%s)',
    async (mode) => {
      await client.unsafe(`set plan_cache_mode = ${mode}`);
      const indexed = filterSets(list.source).filter((set) => set.length <= 1 || String(set) === 'model,version');
      const sets = indexed.filter((set) => !set.some((filter) => sortedFilters.includes(filter)));
      const heads = 'page' in list ? 5 : parentsOf(list.source).length;
      const faults: string[] = [];
      for (const request of requestsOf(list.source, sets)) {
        const plan = await explain(client, await pageStatement(list, request), ', analyze, buffers, timing off');
        if (rowsRead(plan) > heads * (pageSize + 1)) {
          faults.push(`${rowsRead(plan)} rows: ${describeRequest(request, mode, plan)}`);
        }
      }
      expect(faults).toEqual([]);
    },
  );
});

/** All look-ups of rows by their ids, with some. */
function lookUps(): { listByIds: ListByIds<unknown>; ids: string[] }[] {
  const { featureIds, conversationIds, siteIds } = tables;
  const ofFeatures = [
    listFeaturesByIds,
    listFeaturesWithOwnersByIds,
    listTestCasesByIds,
    listDeploymentsByIds,
    listDocumentsByIds,
  ];
  const ofConversations = [
    listConversationsByIds,
    listConversationsWithUsersByIds,
    listMessagesByIds,
    listPredictionsByIds,
  ];
  return [
    ...ofFeatures.map((listByIds) => ({ listByIds, ids: featureIds })),
    ...ofConversations.map((listByIds) => ({ listByIds, ids: conversationIds })),
    { listByIds: listSitesByIds, ids: siteIds },
  ];
}

test('look-ups are planned five times and never again, by one id and by a few', async () => {
  const pool = createPool({ connection: database.connection, size: 1 });
  // Of tables with partitions Postgres takes a plan for the id at hand for the cheaper one: it leaves the others out.
  const partitioned: unknown[] = [listMessagesByIds, listPredictionsByIds];
  const whole = lookUps().filter(({ listByIds }) => !partitioned.includes(listByIds));
  for (const { listByIds, ids } of whole) {
    for (let index = 0; index < 8; index += 1) {
      await listByIds(pool, tables.organizationId, ids.slice(index, index + 1));
      await listByIds(pool, tables.organizationId, ids.slice(index, index + 2));
    }
  }
  const plannedAnew = (await preparedStatements(pool)).map(({ text, customPlans }) => ({ text, customPlans }));
  expect(plannedAnew).toHaveLength(2 * whole.length);
  for (const { text, customPlans } of plannedAnew) expect(customPlans, text).toBe(5);
  await pool.close();
});

test.each(planModes)('what is loaded for many parents never reads a whole table (%s)', async (mode) => {
  await client.unsafe(`set plan_cache_mode = ${mode}`);
  const { organizationId, featureIds, conversationIds } = tables;
  const captured = await captureStatements(async (probe) => {
    for (const list of nestedLists) {
      for (const set of filterSets(list.source)) {
        const filters = Object.fromEntries(set.map((filter) => [filter, argumentsOf(list.source, filter)]));
        await list.counts(probe, organizationId, parentsOf(list.source), filters);
      }
    }
    await listTestSummaries(probe, organizationId, featureIds);
    await listPublicTestSummaries(probe, organizationId, featureIds);
    await listPublicFeaturesByIds(probe, organizationId, featureIds);
    await listSentimentSummaries(probe, organizationId, conversationIds);
    for (const { listByIds, ids } of lookUps()) {
      await listByIds(probe, organizationId, ids);
      await listByIds(probe, organizationId, ids.slice(0, 1));
    }
  });
  for (const statement of captured) {
    const plan = await explain(client, statement);
    expect(printPlan(plan), statement.statement.text).not.toContain('Seq Scan');
  }
});

test.each(planModes)('the calls of a version are counted from its index, of the range alone (%s)', async (mode) => {
  await client.unsafe(`set plan_cache_mode = ${mode}`);
  const versions = ['1', '2', '3'].map((version) => ({ model: 'sentiment', version }));
  const range = { from: '2025-01-01T00:00:00Z', to: '2025-01-03T00:00:00Z' };
  const [captured] = await captureStatements((probe) =>
    listCallStatistics(probe, tables.organizationId, versions, range),
  );
  const plan = await explain(client, captured!, ', analyze, buffers, timing off');
  const scans = nodesOf(plan).filter((node) => node['Index Name']?.includes('model_version'));
  expect(scans, printPlan(plan)).not.toEqual([]);
  for (const { 'Index Cond': condition } of scans) expect(condition).toMatch(/model.*version.*id >=.*id </);
  const text = 'select count(*)::integer as count from predictions where id >= $1 and id < $2';
  const bounds = [range.from, range.to].map((at) => firstIdAt(epochMs(at)));
  const count = (await client.unsafe(text, bounds))[0]!.count;
  expect(count).toBeGreaterThan(0);
  expect(rowsRead(plan)).toBeLessThanOrEqual(count);
});

const operation = `query ($first: Int!) {
  features(first: $first) {
    totalCount
    nodes { owner { name } testSummary { total } testCases(first: 2) { totalCount nodes { name } } deployments { nodes { version } } }
  }
  conversations(first: $first) { nodes { user { name } sentiment { total } messages(first: 2) { nodes { author { name } } } } }
}`;

test('hot statements are prepared once per connection, whatever the batch size', async () => {
  const { organizationId, userId } = tables;
  const pool = createPool({ connection: database.connection, size: 1 });
  const app = await createTestApp({ wrapDependencies: (dependencies) => ({ ...dependencies, database: pool }) });
  const run = async (first: number) => {
    const answer = await app.query(operation, { first }, { organizationId, userId, scopes });
    expect(answer.errors).toBeUndefined();
  };
  for (let index = 0; index < 10; index += 1) await run(3);
  const once = await preparedStatements(pool);
  expect(once.map(({ text }) => text.match(/^\/\* (\w+) \*\//)?.[1]).sort()).toEqual([
    'count_features',
    'count_test_cases',
    'listSentimentSummariesByConversationId',
    'listTestSummariesByFeatureId',
    'listUsersByIds',
    'list_conversations',
    'list_deployments',
    'list_features',
    'list_messages',
    'list_test_cases',
  ]);
  for (const { calls, text } of once) expect(calls, text).toBe(10);
  for (const first of [10, 100]) await run(first);
  const later = await preparedStatements(pool);
  expect(later.map(({ text }) => text)).toEqual(once.map(({ text }) => text));
  for (const { calls, customPlans, text } of later) {
    expect(calls, text).toBe(12);
    // The first five of a statement are planned for their values; no later one is planned.
    expect(customPlans, text).toBe(5);
  }
  await app.close();
  await pool.close();
});

const january = { createdAt: { createdFrom: '2025-01-01 00:00:00+00', createdTo: '2025-02-01 00:00:00+00' } };

test.each([
  ['a range in the order of another column', january, 'NAME', 0],
  ['a range in the order of its own column', january, 'CREATED_AT', 1],
  ['a text in the name', { nameContains: { namePattern: '%report%' } }, 'CREATED_AT', 0],
])('%s: planned anew for its values or prepared', async (_label, filters, order, prepared) => {
  const pool = createPool({ connection: database.connection, size: 1 });
  const request = {
    filters,
    order,
    direction: 'ASC',
    limit: 20,
    isBackward: false,
    after: null,
    before: null,
  } as const;
  await featureList.page(pool, tables.organizationId, request);
  expect(await preparedStatements(pool)).toHaveLength(prepared);
  await pool.close();
});

function preparedStatements(pool: Database): Promise<{ text: string; calls: number; customPlans: number }[]> {
  const text = `select statement as text, (generic_plans + custom_plans)::integer as calls,
      custom_plans::integer as "customPlans"
    from pg_prepared_statements where statement !~ 'pg_prepared_statements' order by 1`;
  return pool.run({ name: 'testPreparedStatements', text }, []);
}
