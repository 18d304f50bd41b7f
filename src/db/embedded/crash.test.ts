// What is left after an end without farewell, with real processes and real signals.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { joinEmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.ts';
import { identifyProcess, isRunning } from './process-identity.ts';
import {
  createFolder,
  guardianOf,
  query,
  removeLeftovers,
  serverOf,
  startOwner,
  untilGone,
} from './testing/owner-process.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });
afterEach(removeLeftovers);

async function startOwnerWithRow(dataDir: string) {
  const owner = await startOwner(dataDir);
  await query(owner.connection, 'CREATE TABLE kept AS SELECT 1 AS x');
  return { owner, server: serverOf(dataDir), guardian: guardianOf(dataDir), socket: owner.connection?.host ?? '' };
}

async function expectRowKept(dataDir: string): Promise<void> {
  const database = await startEmbeddedPostgres({ dataDir, purpose: 'successor' });
  expect(await query(database.connection, 'SELECT x FROM kept')).toEqual([{ x: 1 }]);
  await database.stop();
}

describe('the owner ends', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)('by %s, in order', async (signal) => {
    const dataDir = createFolder();
    const { owner, server, guardian, socket } = await startOwnerWithRow(dataDir);
    expect(await owner.end(signal)).toBe(0);
    expect([isRunning(server), isRunning(guardian), existsSync(socket)]).toEqual([false, false, false]);
    expect(existsSync(join(dataDir, 'owner.json'))).toBe(false);
  });

  test.each([
    ['SIGKILL', 'SIGKILL'],
    ['SIGUSR2', 3],
  ] as const)('by %s, without stop: Postgres goes too, and the data stays', async (signal, result) => {
    const dataDir = createFolder();
    const { owner, server, guardian, socket } = await startOwnerWithRow(dataDir);
    expect(await owner.end(signal)).toBe(result);
    expect(await untilGone([server, guardian], [socket])).toBeLessThan(5_000);
    expect(await joinEmbeddedPostgres(dataDir)).toBeNull();
    await expectRowKept(dataDir);
  });

  test('and of three successors that do not wait, one gets the data', async () => {
    const dataDir = createFolder();
    const { owner } = await startOwnerWithRow(dataDir);
    await owner.end('SIGKILL');
    const successors = await Promise.all([1, 2, 3].map(() => startOwner(dataDir)));
    const winners = successors.filter((successor) => successor.connection !== null);
    expect(winners).toHaveLength(1);
    expect(await query(winners[0]?.connection ?? null, 'SELECT x FROM kept')).toEqual([{ x: 1 }]);
  });
});

describe('the guardian ends by SIGKILL', () => {
  test('alone: the owner stops Postgres and is told', async () => {
    const dataDir = createFolder();
    const { owner, server, guardian, socket } = await startOwnerWithRow(dataDir);
    process.kill(guardian.pid, 'SIGKILL');
    expect(await owner.lost).toMatch(/^The embedded Postgres ended: its guardian was killed/);
    await untilGone([server, guardian], [socket]);
    await expectRowKept(dataDir);
  });

  test('together with the owner: the next start ends the Postgres that nobody watches', async () => {
    const dataDir = createFolder();
    const { owner, server, guardian, socket } = await startOwnerWithRow(dataDir);
    process.kill(guardian.pid, 'SIGSTOP');
    await owner.end('SIGKILL');
    process.kill(guardian.pid, 'SIGKILL');
    await untilGone([guardian]);
    expect(isRunning(server)).toBe(true);
    await expectRowKept(dataDir);
    expect([isRunning(server), existsSync(socket)]).toEqual([false, false]);
  });
});

test('a Postgres that ends by itself is told to the owner, with the end of its log', async () => {
  const dataDir = createFolder();
  const { owner, server } = await startOwnerWithRow(dataDir);
  process.kill(server.pid, 'SIGQUIT');
  expect(await owner.lost).toMatch(/^The embedded Postgres ended: Postgres ended \(.*immediate shutdown/);
  await expectRowKept(dataDir);
  expect(await owner.end('SIGTERM')).toBe(0);
});

test('pids that other processes have got since do not stop a start', async () => {
  const dataDir = createFolder();
  const { owner } = await startOwnerWithRow(dataDir);
  const ownerFile = JSON.parse(readFileSync(join(dataDir, 'owner.json'), 'utf8'));
  await owner.end('SIGTERM');
  // Of the same user as Postgres: it takes a foreign process for none.
  const { uid, gid } = statSync(join(dataDir, 'postgres'));
  const stranger = spawn('sleep', ['60'], { stdio: 'ignore', uid, gid });
  try {
    const pid = stranger.pid ?? -1;
    const stale = { ...ownerFile, pid, guardian: { pid, startTime: 'earlier' } };
    writeFileSync(join(dataDir, 'owner.json'), JSON.stringify(stale));
    writeFileSync(join(dataDir, 'postgres', 'postmaster.pid'), `${pid}\n${dataDir}/postgres\n`);
    expect(await joinEmbeddedPostgres(dataDir)).toBeNull();
    await expectRowKept(dataDir);
    expect(identifyProcess(pid)).not.toBeNull();
  } finally {
    stranger.kill();
  }
});

test('a start waits for the guardian of a dead owner, which may be about to write', async () => {
  const dataDir = createFolder();
  const { owner } = await startOwnerWithRow(dataDir);
  const ownerFile = JSON.parse(readFileSync(join(dataDir, 'owner.json'), 'utf8'));
  await owner.end('SIGTERM');
  const guardian = identifyProcess(spawn('sleep', ['2'], { stdio: 'ignore' }).pid ?? -1);
  writeFileSync(join(dataDir, 'owner.json'), JSON.stringify({ ...ownerFile, guardian }));
  await expectRowKept(dataDir);
  expect(guardian !== null && isRunning(guardian)).toBe(false);
});
