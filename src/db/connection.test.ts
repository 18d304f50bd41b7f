import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startTestPostgres, type TestPostgres } from '../testing/test-postgres.ts';
import { Caller } from './caller.ts';
import { Connection } from './connection.ts';
import type { Database, Pool, Statement, Value } from './database.ts';
import { findPostgresBinaries } from './embedded/binaries.ts';
import { resolveDatabaseUser } from './embedded/database-user.ts';
import { createPool } from './pool.ts';

/** Rows of requests, which are read here, against nobody's, which the driver reads: over a socket, and over TLS. */
let server: TestPostgres;
let pool: Pool;
const pools: Pool[] = [];
const organizationId = '019a0000-0000-7000-8000-000000000001';
const canTls = spawnSync('openssl', ['version']).status === 0;
const certificates = mkdtempSync(join(realpathSync(tmpdir()), 'tributary-certificate-'));

beforeAll(async () => {
  server = await startTestPostgres(canTls ? await makeCertificate() : {});
  await makePool(server.url).run({ name: 'create', text: 'create table things (id uuid, name text)' }, []);
});
afterEach(() => Promise.all(pools.splice(0).map((made) => made.close())));
afterAll(async () => {
  await server.remove();
  rmSync(certificates, { recursive: true });
});

async function makeCertificate(): Promise<Record<string, string>> {
  const [key, certificate] = [join(certificates, 'key.pem'), join(certificates, 'certificate.pem')];
  const args = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost'];
  execFileSync('openssl', [...args, '-keyout', key, '-out', certificate], { stdio: 'ignore' });
  const { postgres } = await findPostgresBinaries();
  resolveDatabaseUser(join(certificates, '..'), postgres).takeOver(certificates);
  return { ssl: 'on', ssl_key_file: key, ssl_cert_file: certificate };
}

function makePool(url: string, size = 1): Pool {
  pool = createPool({ connection: url, size });
  pools.push(pool);
  return pool;
}

const ofOrganization = (text: string, options: Partial<Statement> = {}): Statement => ({
  name: 'ofOrganization',
  text: `${text} /* of $1 */`.replace('select ', 'select $1::uuid as organization, '),
  isRead: true,
  organizationIndex: 0,
  ...options,
});
const request = (signal = new AbortController().signal): Database => pool.within({ signal, organizationId });

const letters = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.string({ unit: 'grapheme', maxLength: 60 }),
  fc.constantFrom('', 'ä', '😀', 'x'.repeat(200), 'é'.repeat(30_000)),
);
const things = fc.array(
  fc.record({
    name: fc.option(letters.map((text) => text.replaceAll('\0', ''))),
    points: fc.option(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })),
    share: fc.option(fc.float({ noNaN: true, noDefaultInfinity: true })),
    big: fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String)),
    isPublic: fc.option(fc.boolean()),
    id: fc.option(fc.uuid()),
    at: fc.option(fc.date({ min: new Date('0001-01-01'), max: new Date('9999-01-01'), noInvalidDate: true })),
    given: fc.option(fc.jsonValue()),
    tags: fc.option(
      fc.array(
        letters.map((text) => text.replaceAll('\0', '').slice(0, 50)),
        { maxLength: 4 },
      ),
    ),
  }),
  { maxLength: 200, size: 'max' },
);
const everyType = ofOrganization(`select thing.*, convert_to(thing.name, 'UTF8') as bytes, thing.at::date as day,
    thing.at::timestamp as local, thing.share::real as real, thing.big::numeric as exact, thing.points::text::name as label
  from rows from (jsonb_to_recordset($2) as (name text, points integer, share float8, big bigint, "isPublic" boolean,
    id uuid, at timestamptz, given jsonb, tags text[])) with ordinality as thing order by thing.ordinality`);

/** As JSON of Postgres has them: it knows no NUL in a text, no -0, no NaN. */
function toJson(rows: readonly unknown[]): string {
  return JSON.stringify(rows).replaceAll('\\u0000', '');
}

describe.each([
  { way: 'over a socket', query: '', isPossible: true },
  { way: 'over TLS', query: '?sslmode=require', isPossible: canTls },
])('rows $way', ({ query, isPossible }) => {
  test.skipIf(!isPossible)('are the same as the driver’s, of all types', { timeout: 120_000 }, async () => {
    makePool(`${server.url}${query}`);
    const [row] = await pool.run<{ ssl: boolean }>(
      { name: 'ssl', text: 'select ssl from pg_stat_ssl where pid = pg_backend_pid()' },
      [],
    );
    expect(row!.ssl).toBe(query !== '');
    await fc.assert(
      fc.asyncProperty(things, async (drawn) => {
        const values = [organizationId, toJson(drawn)];
        const expected = await pool.run<Record<string, unknown>>(everyType, values);
        expect(expected).toHaveLength(drawn.length);
        const rows = await request().run<Record<string, unknown>>(everyType, values);
        expect(rows).toEqual([...expected]);
        expect(rows.map(Object.keys)).toEqual(expected.map(Object.keys));
      }),
      { numRuns: 15 },
    );
  });

  test.skipIf(!isPossible)('are each statement’s own when a transaction starts several at once', async () => {
    makePool(`${server.url}${query}`);
    const text = 'select number, $2::text as name from generate_series(1, $3::integer) as number';
    const counts = [300, 0, 1, 5_000, 2];
    const rows = await request().transaction((database) =>
      Promise.all(
        counts.map((count) => database.run<object>(ofOrganization(text), [organizationId, `of ${count}`, count])),
      ),
    );
    const expectedOf = (count: number) =>
      Array.from({ length: count }, (_, index) => ({
        organization: organizationId,
        number: index + 1,
        name: `of ${count}`,
      }));
    expect(rows.map((list) => [...list])).toEqual(counts.map(expectedOf));
  });

  test.skipIf(!isPossible)('of a statement that fails on the way are not the next one’s', async () => {
    makePool(`${server.url}${query}`);
    const failing = ofOrganization('select 1 / (5 - number) as share from generate_series(1, $2::integer) as number');
    await expect(request().run(failing, [organizationId, 10])).rejects.toThrow('division by zero');
    const next = ofOrganization('select number from generate_series(1, $2::integer) as number');
    const rows = await request().run(next, [organizationId, 2]);
    expect([...rows]).toEqual([1, 2].map((number) => ({ organization: organizationId, number })));
  });

  test.skipIf(!isPossible)('have the columns that the table has now', async () => {
    makePool(`${server.url}${query}`);
    const list = ofOrganization('select things.* from things where name = $2::text');
    const ask = async () => [...(await request().run(list, [organizationId, 'one']))];
    await pool.run({ name: 'insert', text: `insert into things (name) values ('one')` }, []);
    expect(await ask()).toEqual([{ organization: organizationId, id: null, name: 'one' }]);
    await pool.run({ name: 'add', text: 'alter table things add column points integer default 3' }, []);
    expect(await ask()).toEqual([{ organization: organizationId, id: null, name: 'one', points: 3 }]);
    await pool.run({ name: 'drop', text: 'drop table things; create table things (id uuid, name text)' }, []);
  });

  test.skipIf(!isPossible)('are each statement’s own in a pipeline, one that fails on the way among them', async () => {
    makePool(`${server.url}${query}`, 4);
    const text = 'select number, 12 / ($2 - number) as share from generate_series(1, $3::integer) as number';
    const shortRead = ofOrganization(text, { mostRows: () => 1 });
    for (let round = 0; round < 20; round += 1) {
      const ends = await Promise.allSettled(
        [7, 3, 7, 7, 3, 7].map((failsAt) => request().run<{ number: number }>(shortRead, [organizationId, failsAt, 5])),
      );
      const numbers = ends.map((end) =>
        end.status === 'fulfilled' ? end.value.map(({ number }) => number) : end.reason.message,
      );
      const all = [1, 2, 3, 4, 5];
      expect(numbers).toEqual([all, 'division by zero', all, all, 'division by zero', all]);
    }
  });

  test.skipIf(!isPossible)(
    'in a pipeline have the columns that their tables have now',
    { timeout: 60_000 },
    async () => {
      makePool(`${server.url}${query}`, 4);
      const run = (text: string) => pool.run({ name: 'change', text }, []);
      await run('create table firsts (at bigint); create table seconds (at bigint, name text)');
      await run(`insert into firsts values (1); insert into seconds values (2, 'two')`);
      const shortRead = (text: string) => ofOrganization(text, { mostRows: () => 1 });
      const asked = [
        [shortRead('select at from firsts'), { at: '1' }],
        [shortRead('select name, at from seconds'), { name: 'two', at: '2' }],
        [shortRead(`select 'none' as at`), { at: 'none' }],
        [shortRead('select name from seconds where false'), null],
      ] as const;
      // All have been prepared before each change; then they come in threes to sixes, in all orders.
      for (let change = 0; change < 24; change += 1) {
        for (const [statement] of asked) await request().run(statement, [organizationId]);
        const type = change % 2 === 0 ? 'varchar' : 'text';
        await run(`alter table firsts alter at type ${type}; alter table seconds alter at type ${type}`);
        const turns = Array.from(
          { length: 3 + (change % 4) },
          (_, turn) => asked[(turn * (1 + (change % 3)) + change) % 4]!,
        );
        const rows = await Promise.all(turns.map(([statement]) => request().run(statement, [organizationId])));
        const expected = turns.map(([, row]) => (row ? [{ organization: organizationId, ...row }] : []));
        expect(rows.map((list) => [...list])).toEqual(expected);
      }
      await run('drop table firsts, seconds');
    },
  );

  test.skipIf(!isPossible)('of a statement that is not prepared, and of none at all', async () => {
    makePool(`${server.url}${query}`);
    const values: Value[] = [organizationId, 'ö'];
    const unprepared = ofOrganization('select $2::text as name', { isPrepared: false });
    for (let turn = 0; turn < 3; turn += 1) {
      expect([...(await request().run(unprepared, values))]).toEqual([{ organization: organizationId, name: 'ö' }]);
    }
    expect(await request().run(ofOrganization('select $2::text as name where false'), values)).toHaveLength(0);
  });

  test.skipIf(!isPossible)(
    'come or reject when the connection is given up, whenever that is, and nothing else happens',
    async () => {
      for (let moment = 0; moment < 24; moment += 1) {
        const connection = new Connection(`${server.url}${query}`, { onAnswer() {}, onOutage() {} });
        await connection.run({ name: 'one', text: 'select 1' }, []);
        const caller = new Caller(new AbortController().signal);
        const running = connection.run(ofOrganization('select 1'), [organizationId], caller).then(
          () => 'done',
          (error: { code: string }) => error.code,
        );
        for (let turn = moment % 8; turn > 0; turn -= 1) await null;
        if (moment % 3 === 2) await new Promise((resolve) => setImmediate(resolve));
        connection.destroy();
        expect(await running).toMatch(/^(done|CONNECTION_CLOSED)$/);
      }
      // By then a write that came too late would have ended this process.
      await new Promise((resolve) => setTimeout(resolve, 1_500));
    },
  );
});

test('a statement that fails in a request needs no other to clean up after it', async () => {
  makePool(server.url);
  const failing = ofOrganization('select 1 / $2::integer as share');
  await request().run(failing, [organizationId, 1]);
  const controller = new AbortController();
  await expect(request(controller.signal).run(failing, [organizationId, 0])).rejects.toThrow('division by zero');
  // It is free at once: nothing is under way on the only connection.
  expect(pool.stats()).toMatchObject({ open: 1, running: 0 });
});

test('nobody’s rows are strings of their own: one that is kept keeps no other in memory', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  makePool(server.url);
  const text = `select gen_random_uuid() as id, repeat(md5($1::text), 30) as long from generate_series(1, 60)`;
  const bytesKept = async (database: Database, statement: Statement): Promise<number> => {
    const kept: string[] = [];
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let turn = 0; turn < 200; turn += 1) {
      for (const { id } of await database.run<{ id: string }>(statement, [organizationId])) kept.push(id);
    }
    collect();
    expect(kept).toHaveLength(200 * 60);
    return process.memoryUsage().heapUsed - before;
  };
  const answersBytes = 200 * 60 * 30 * 32;
  expect(await bytesKept(pool, { name: 'many', text, isRead: true })).toBeLessThan(answersBytes / 5);
  // The same of a request, which keeps them: the figure can tell. One id of each read would keep only its part of the
  // answer, as the socket happens to cut it.
  expect(await bytesKept(request(), ofOrganization(text))).toBeGreaterThan((answersBytes * 4) / 5);
});
