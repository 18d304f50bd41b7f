import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { joinEmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.ts';
import { createFolder, query, removeLeftovers, serverOf, startOwner, untilGone } from './testing/owner-process.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });
afterEach(removeLeftovers);

describe('a durable database', () => {
  test('answers over its socket only, keeps its data, and leaves nothing running', async () => {
    const dataDir = createFolder("a folder, with 'spaces' and ümläute");
    const first = await startEmbeddedPostgres({ dataDir, purpose: 'npm start' });
    await query(
      first.connection,
      'CREATE EXTENSION pg_trgm; CREATE EXTENSION pg_stat_statements; CREATE TABLE kept AS SELECT 1 AS x',
    );
    expect(
      await query(
        first.connection,
        `SELECT current_setting('listen_addresses') AS tcp, current_setting('timezone') AS zone,
      cardinality(show_trgm('Ä')) AS letters, upper('ä') AS upper, current_database() AS database`,
      ),
    ).toEqual([{ tcp: '', zone: 'UTC', letters: 2, upper: 'Ä', database: 'tributary' }]);
    const server = serverOf(dataDir);
    expect(await joinEmbeddedPostgres(dataDir)).toEqual({
      connection: first.connection,
      url: first.url,
      ownerPid: process.pid,
    });
    await first.stop();
    await first.stop();
    await untilGone([server], [first.connection.host]);
    expect(readdirSync(dataDir).sort()).toEqual(['owner.lock', 'postgres', 'postgres.log']);
    expect(await joinEmbeddedPostgres(dataDir)).toBeNull();

    const second = await startEmbeddedPostgres({ dataDir, purpose: 'npm start', settings: { work_mem: '1MB' } });
    expect(await query(second.connection, `SELECT x, current_setting('work_mem') AS work FROM kept`)).toEqual([
      { x: 1, work: '1MB' },
    ]);
    await second.stop();
  });

  test('is refused to a second start, in this process and in another, naming the holder', async () => {
    const dataDir = createFolder();
    const database = await startEmbeddedPostgres({ dataDir, purpose: 'npm start' });
    const line = new RegExp(
      `^The database in .* is in use by pid ${process.pid} \\(npm start, since 20.*, command: .+\\): stop .*$`,
    );
    await expect(startEmbeddedPostgres({ dataDir, purpose: 'npm run seed' })).rejects.toThrow(line);
    expect((await startOwner(dataDir)).refused).toMatch(line);
    expect(await query(database.connection, 'SELECT 1 AS x')).toEqual([{ x: 1 }]);
    await database.stop();
  });

  test('goes to exactly one of three that start at once', async () => {
    const dataDir = createFolder();
    const owners = await Promise.all([1, 2, 3].map((n) => startOwner(dataDir, { purpose: `owner ${n}` })));
    const winner = owners.filter((owner) => owner.refused === null);
    expect(winner).toHaveLength(1);
    for (const owner of owners) if (owner.refused !== null) expect(owner.refused).toContain(`pid ${winner[0]?.pid} `);
  });
});

describe('a start that cannot work', () => {
  test('tells the last words of Postgres', async () => {
    const start = startEmbeddedPostgres({
      dataDir: createFolder(),
      purpose: 'test',
      settings: { shared_buffers: 'much' },
    });
    await expect(start).rejects.toThrow(
      /did not start: Postgres ended \(exit code 1\): .*invalid value for parameter "shared_buffers".*postgres\.log/,
    );
  });

  test('names the version of a database of another Postgres, and leaves it alone', async () => {
    const dataDir = createFolder();
    await (await startEmbeddedPostgres({ dataDir, purpose: 'test' })).stop();
    writeFileSync(join(dataDir, 'postgres', 'PG_VERSION'), '16\n');
    await expect(startEmbeddedPostgres({ dataDir, purpose: 'test' })).rejects.toThrow(
      /is of Postgres 16, and the embedded one is 18: move/,
    );
    expect(readFileSync(join(dataDir, 'postgres', 'PG_VERSION'), 'utf8')).toBe('16\n');
  });

  test('says that the data folder is a file', async () => {
    const dataDir = createFolder();
    writeFileSync(dataDir, '');
    await expect(startEmbeddedPostgres({ dataDir, purpose: 'test' })).rejects.toThrow(
      /^Cannot make the data folder .* \(EEXIST\): .*DATABASE_URL/,
    );
  });

  test('starts over when the first start was cut off', async () => {
    const dataDir = createFolder();
    mkdirSync(join(dataDir, 'postgres.new-cutoff', 'base'), { recursive: true });
    await (await startEmbeddedPostgres({ dataDir, purpose: 'test' })).stop();
    expect(readdirSync(dataDir)).not.toContain('postgres.new-cutoff');
  });
});

test('an ephemeral database is fast, private and gone after stop', async () => {
  const database = await startEmbeddedPostgres({ purpose: 'test', ephemeral: true });
  const [row] = await query(
    database.connection,
    `SELECT current_setting('fsync') AS fsync, current_setting('data_directory') AS folder`,
  );
  const folder = String(row?.folder);
  expect(row?.fsync).toBe('off');
  expect(statSync(database.connection.host).mode & 0o777).toBe(0o700);
  await database.stop();
  expect([existsSync(folder), existsSync(join(folder, '..')), existsSync(database.connection.host)]).toEqual([
    false,
    false,
    false,
  ]);
});
