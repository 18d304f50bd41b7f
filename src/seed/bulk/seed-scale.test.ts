import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { Value } from '../../db/database.ts';
import type { InferenceEngine } from '../../inference/engine.ts';
import { scanModelRepository } from '../../inference/repository.ts';
import { createWorkerEngine } from '../../inference/worker-engine.ts';
import { createTestDatabase, type TestDatabase } from '../../testing/test-database.ts';
import { requireVacuum } from '../maintenance.ts';
import { riverbank } from '../organizations.ts';
import type { Progress } from '../progress.ts';
import { invariants } from '../testing-invariants.ts';
import { parseScale, type Scale } from './scale.ts';
import { finishInterrupted, seedScale } from './seed-scale.ts';

const now = new Date('2026-07-15T13:42:10Z');
const hour = '2026-07-15T13:00:00Z';
const scale = parseScale('1013', '12') as Scale;
const quiet: Progress = { begin: () => {}, advance: () => {}, end: () => {}, note: () => {} };

let engine: InferenceEngine;
let database: TestDatabase;

beforeAll(async () => {
  engine = await createWorkerEngine({ repository: await scanModelRepository('models'), workers: 1 });
  database = await createTestDatabase(inject('postgres'));
});

afterAll(async () => {
  await engine.close();
  await database.drop();
});

function rows<Row>(text: string, values: Value[] = []): Promise<Row[]> {
  return database.pool.run<Row>({ name: 'testSeed', text }, values);
}

/** Every index, key and constraint of every table, partitions included; the names of those of partitions are Postgres' own. */
function structure(): Promise<unknown[]> {
  return rows(`select indrelid::regclass::text as table, pg_get_indexdef(indexrelid, 0, true) as definition, indisvalid as valid
      from pg_index join pg_class on pg_class.oid = indrelid where relnamespace = 'public'::regnamespace and not relispartition
    union all
    select conrelid::regclass::text, conname || ' ' || pg_get_constraintdef(oid), convalidated
      from pg_constraint where connamespace = 'public'::regnamespace and conparentid = 0 and contype in ('p', 'f', 'u', 'c')
        and conrelid in (select oid from pg_class where not relispartition)
    union all
    select relname, count(*)::text, true from pg_index join pg_class on pg_class.oid = indrelid where relispartition
      and relname not like '%2025%' and relname not like '%2024%' and relname not like '%2026%' group by 1
    order by 1, 2`);
}

/** Without scores: their last bit depends on which texts ran in one batch. */
async function digest(table: string): Promise<unknown> {
  const text = `select count(*)::integer as rows, md5(string_agg(row, '|' order by row)) as digest
    from (select (to_jsonb(t) - 'latency_ms' - 'sentiment_score')::text as row from ${table} as t) as r`;
  return (await rows(text))[0];
}

/** Seeds in another process, and kills it when it begins a step. */
async function killAtStep(step: string): Promise<void> {
  const file = fileURLToPath(new URL('./testing-victim.ts', import.meta.url));
  const victim = spawn(process.execPath, [file, JSON.stringify(database.connection)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  victim.stdout.on('data', (output: Buffer) => {
    if (output.toString().includes(step)) victim.kill('SIGKILL');
  });
  const [, signal] = await once(victim, 'exit');
  expect(signal).toBe('SIGKILL');
}

const tables = ['users', 'features', 'test_cases', 'deployments', 'conversations', 'messages', 'predictions'];

describe('seedScale', () => {
  test('a run that is killed leaves everything as it was', async () => {
    const before = await structure();
    await killAtStep('messages');
    expect(await rows('select id from features limit 1')).toEqual([]);
    expect(await structure()).toEqual(before);
  }, 120_000);

  test('can be repeated, keeps the structure, and makes the counts it says', async () => {
    const before = await structure();
    await seedScale({ database: database.pool, inference: engine, now, scale, progress: quiet });
    expect(await structure()).toEqual(before);
    const text = `select ${['features', 'users', 'test_cases', 'deployments', 'conversations', 'messages']
      .map((table) => `(select count(*)::integer from ${table} where organization_id = $1) as ${table}`)
      .join(', ')}`;
    const { features, users, testCases, deployments, conversations, messages } = scale;
    expect(await rows(text, [riverbank.id])).toEqual([
      { features, users, test_cases: testCases, deployments, conversations, messages },
    ]);
    expect(await finishInterrupted(database.pool, quiet)).toBe(false);
    await requireVacuum(database.pool);
    expect(await finishInterrupted(database.pool, quiet)).toBe(true);
    expect(await finishInterrupted(database.pool, quiet)).toBe(false);
  }, 120_000);

  test.each(Object.keys(invariants))('%s', async (name) => {
    const text = invariants[name]!;
    expect((await rows(text, text.includes('$1') ? [hour] : [])).slice(0, 3)).toEqual([]);
  });

  test('refuses to add to data, and replaces them on demand with the same again', async () => {
    const options = { database: database.pool, inference: engine, now, scale, progress: quiet };
    await expect(seedScale(options)).rejects.toThrow(
      'the database holds data already (Lakeside, Riverbank): add --reset to delete all of it and seed again',
    );
    const score = async () => {
      const [found] = (await rows('select avg(sentiment_score) as mean from messages')) as { mean: number }[];
      return Number(found!.mean);
    };
    const before = await Promise.all(tables.map(digest));
    const scoreBefore = await score();
    await seedScale({ ...options, isReset: true });
    expect(await Promise.all(tables.map(digest))).toEqual(before);
    expect(await score()).toBeCloseTo(scoreBefore, 5);
  }, 120_000);
});
