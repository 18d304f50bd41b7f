import postgres from 'postgres';
import { inject, afterAll, beforeAll, describe, expect, test } from 'vitest';
import { conversationList, documentList, messageList } from '../domains/conversations/queries.ts';
import { deploymentList, featureList, testCaseList } from '../domains/features/queries.ts';
import { predictionList, readingList, siteList } from '../domains/predictions/queries.ts';
import { type BigTables, endOfTime, loadBigTables, middleOfTime } from '../testing/big-tables.ts';
import { createTestDatabase, type TestDatabase } from '../testing/test-database.ts';
import type { Database, Statement, Value } from './client.ts';
import { firstIdAt } from './id.ts';
import type { List, NestedList, PageRequest } from './list.ts';
import { keyOf, type ListSource } from './keyset.ts';
import { epochMs } from './time.ts';
import { quote } from '../testing/list-cases.ts';
import { writeFileSync } from 'node:fs';

const rootLists: List<unknown>[] = [featureList, conversationList, documentList, siteList, predictionList];
const nestedLists: NestedList<unknown>[] = [testCaseList, deploymentList, messageList, readingList];
let database: TestDatabase;
let client: postgres.Sql;
let tables: BigTables;

beforeAll(async () => {
  database = await createTestDatabase(inject('postgres'));
  client = postgres({ ...database.connection, max: 1, prepare: false, fetch_types: false, onnotice: () => {} });
  const t = performance.now();
  tables = await loadBigTables(client);
  console.log('load', performance.now() - t);
}, 120_000);
afterAll(async () => {
  await client.end();
  await database.drop();
});

interface Ran { statement: Statement; values: readonly Value[] }
async function statementsOf(work: (database: Database) => Promise<unknown>): Promise<Ran[]> {
  const ran: Ran[] = [];
  const recording: Database = {
    run: async (statement, values) => { ran.push({ statement, values }); return []; },
    transaction: (inner) => inner(recording),
  };
  await work(recording);
  return ran;
}

interface Plan { 'Node Type': string; Plans?: Plan[]; [key: string]: unknown }

const literal = (value: Value): string =>
  value === null ? 'null' : quote(Array.isArray(value) ? `{${value.join()}}` : String(value));

async function explain({ statement, values }: Ran, options = ''): Promise<Plan> {
  await client.unsafe(`prepare probe as ${statement.text}`);
  try {
    const rows = await client.unsafe(`explain (format json${options}) execute probe (${values.map(literal).join(', ')})`);
    const plan = rows[0]!['QUERY PLAN'];
    return (typeof plan === 'string' ? JSON.parse(plan) : plan)[0].Plan;
  } finally {
    await client.unsafe('deallocate probe');
  }
}

const nodesOf = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];

function subsets<T>(list: T[]): T[][] {
  return list.reduce<T[][]>((all, x) => [...all, ...all.map((s) => [...s, x])], [[]]);
}

function values(): Record<string, Value> {
  return {
    status: 'IN_REVIEW', statusIn: ['DONE', 'PLANNED', 'IN_REVIEW'], ownerId: tables.userId, userId: tables.userId, namePattern: '%report%',
    createdFrom: '2025-01-01 00:00:00+00', createdTo: '2025-02-01 00:00:00+00', model: 'sentiment', version: '2',
    idFrom: firstIdAt(Date.parse('2025-01-01')), idTo: firstIdAt(Date.parse('2025-02-01')), environment: 'STAGING',
    rangeFrom: '2025-01-01 00:00:00+00', rangeTo: '2025-02-01 00:00:00+00',
  };
}
const argsOf: Record<string, string[]> = { createdAt: ['createdFrom', 'createdTo'], range: ['rangeFrom', 'rangeTo'], nameContains: ['namePattern'] };
const place: Record<string, string> = { createdAt: middleOfTime, updatedAt: middleOfTime, lastMessageAt: middleOfTime, at: middleOfTime, name: '7', complexityPoints: '25', id: firstIdAt(epochMs(middleOfTime)) };
const placeEnd: Record<string, string> = { createdAt: endOfTime, updatedAt: endOfTime, lastMessageAt: endOfTime, at: endOfTime, name: 'a', complexityPoints: '30', id: firstIdAt(epochMs(endOfTime)) };

function requests(source: ListSource): PageRequest[] {
  const out: PageRequest[] = [];
  for (const filters of subsets(Object.keys(source.filters))) {
    if (filters.includes('version') && !filters.includes('model')) continue;
    if (source.name === 'readings' && !filters.includes('range')) continue;
    for (const order of Object.keys(source.orders))
      for (const direction of ['ASC', 'DESC'] as const)
        for (const cursors of ['none', 'after', 'both'])
          out.push({
            filters: Object.fromEntries(filters.map((f) => {
              const names = source.name === 'predictions' && f === 'createdAt' ? ['idFrom', 'idTo'] : argsOf[f] ?? [f];
              return [f, Object.fromEntries(names.map((n) => [n, source.name==='test_cases' && n==='status' ? 'FAILED' : values()[n]!]))];
            })),
            order, direction, limit: 20, isBackward: false,
            after: cursors === 'none' ? null : keyOf(source, order).map((p) => (direction === 'ASC' ? place : placeEnd)[p.property]!),
            before: cursors !== 'both' ? null : keyOf(source, order).map((p) => (direction === 'ASC' ? placeEnd : place)[p.property]!),
          });
  }
  return out;
}


test('explore', { timeout: 300_000 }, async () => {
  const lines: string[] = [];
  const rareUser = (await client.unsafe(`select id from users where organization_id='${tables.organizationId}' offset 40 limit 1`))[0]!.id;
  const sets: Record<string, Record<string, Value>> = { common: {}, rare: { namePattern: '%zzqx%', ownerId: rareUser, userId: rareUser, status: 'CANCELLED', statusIn: ['CANCELLED', 'IN_REVIEW'], createdFrom: '2025-03-01 00:00:00+00', createdTo: '2025-03-02 00:00:00+00' }, wide: {createdFrom: '2024-01-01 00:00:00+00', createdTo: '2026-01-01 00:00:00+00', idFrom: firstIdAt(0), idTo: firstIdAt(Date.now())} };
  for (const [set, override] of Object.entries(sets))
  for (const mode of ['force_custom_plan', 'force_generic_plan']) {
    await client.unsafe(`set plan_cache_mode = ${mode}`);
    for (const list of [...rootLists, ...nestedLists]) {
      for (const original of requests(list.source)) {
        const request = { ...original, filters: Object.fromEntries(Object.entries(original.filters).map(([k, v]) => [k, Object.fromEntries(Object.entries(v).map(([n, x]) => [n, list.source.name === 'features' || list.source.name === 'conversations' || list.source.name === 'predictions' ? override[n] ?? x : x]))])) };
        const parents = { features: tables.featureIds, messages: tables.conversationIds, readings: tables.siteIds }[list.source.name] ?? tables.featureIds;
        const [ran] = await statementsOf((db) => 'page' in list ? list.page(db, tables.organizationId, request) : list.pages(db, tables.organizationId, parents, request));
        const plan = await explain(ran!, ', analyze, buffers, timing off');
        const kinds = nodesOf(plan).map((n) => `${n['Node Type']}${n['Index Name'] ? `:${n['Index Name']}` : n['Relation Name'] ? `:${n['Relation Name']}` : ''}`);
        const read = nodesOf(plan).filter((n) => n['Relation Name']).reduce((sum, n) => sum + (Number(n['Actual Rows']) + Number(n['Rows Removed by Filter'] ?? 0)+ Number(n['Rows Removed by Index Recheck'] ?? 0)) * Number(n['Actual Loops']), 0);
        const buffers = Number(plan['Shared Hit Blocks']) + Number(plan['Shared Read Blocks']);
        lines.push(`${read} ${buffers} ${plan['Actual Rows']} ${set} ${mode} ${list.source.name} [${Object.keys(request.filters)}] ${request.order} ${request.direction} ${request.after ? 'after' : ''}${request.before ? 'before' : ''} => ${kinds.join(' > ').slice(0, 300)}`);
      }
    }
  }
  writeFileSync('/tmp/plans2.txt', lines.join('\n'));
  console.log(lines.length);
});
