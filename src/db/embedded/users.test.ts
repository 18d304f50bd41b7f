// Who Postgres runs as: these need root, which every container has and few desktops.
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, cpSync, mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { findPostgresBinaries } from './binaries.ts';
import { prepareCluster } from './cluster.ts';
import { resolveDatabaseUser } from './database-user.ts';
import { startEmbeddedPostgres } from './embedded-postgres.ts';
import { createFolder, isRoot, query, removeLeftovers, serverOf, startOwner } from './testing/owner-process.ts';

const NOBODY = 65_534;
const canNobodyReadUs =
  isRoot &&
  spawnSync('cat', [fileURLToPath(import.meta.url)], { uid: NOBODY, gid: NOBODY, stdio: 'ignore' }).status === 0;
const hasSetpriv = spawnSync('setpriv', ['--version'], { stdio: 'ignore' }).status === 0;

if (!isRoot) console.info('users.test.ts: skipped what needs root');
else if (!canNobodyReadUs) console.info('users.test.ts: skipped what needs a project folder that other users can read');
if (isRoot && !hasSetpriv) console.info('users.test.ts: skipped what needs setpriv (util-linux)');

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });
afterEach(removeLeftovers);

describe.runIf(canNobodyReadUs)('an ordinary user', () => {
  test('runs Postgres as itself', async () => {
    const dataDir = createFolder();
    chownSync(dirname(dataDir), NOBODY, NOBODY);
    const owner = await startOwner(dataDir, { uid: NOBODY });
    expect(owner.refused).toBeNull();
    expect(uidOf(serverOf(dataDir).pid)).toBe(NOBODY);
    expect(await owner.end('SIGTERM')).toBe(0);
  });

  test('is told whose data it is when root has started before, and where it may not write', async () => {
    const dataDir = createFolder();
    await (await startEmbeddedPostgres({ dataDir, purpose: 'root' })).stop();
    const keeper = statSync(join(dataDir, 'postgres')).uid;
    if (keeper === NOBODY)
      expect((await startOwner(dataDir, { uid: NOBODY })).refused).toMatch(/Cannot write to the data folder/);
    else
      expect((await startOwner(dataDir, { uid: NOBODY })).refused).toMatch(
        new RegExp(`belongs to user .*uid ${keeper}\\), and this is user .*uid ${NOBODY}`),
      );
    expect((await startOwner(join(dataDir, 'inner'), { uid: NOBODY })).refused).toMatch(
      /Cannot make the data folder .* \(EACCES\)/,
    );
  });
});

describe.runIf(isRoot)('root', () => {
  test('runs Postgres as the user whose data folder it is, who can go on alone', async () => {
    const dataDir = createFolder();
    mkdirSync(dataDir);
    chownSync(dataDir, NOBODY, NOBODY);
    const database = await startEmbeddedPostgres({ dataDir, purpose: 'root' });
    expect(uidOf(serverOf(dataDir).pid)).toBe(NOBODY);
    await query(database.connection, 'CREATE TABLE kept AS SELECT 1 AS x');
    await database.stop();
    if (!canNobodyReadUs) return;
    const owner = await startOwner(dataDir, { uid: NOBODY });
    expect(await query(owner.connection, 'SELECT x FROM kept')).toEqual([{ x: 1 }]);
  });

  test('takes over a data directory that was copied as root', async () => {
    const [from, to] = [createFolder(), createFolder()];
    await (await startEmbeddedPostgres({ dataDir: from, purpose: 'root' })).stop();
    mkdirSync(to);
    execFileSync('cp', ['-r', join(from, 'postgres'), join(to, 'postgres')]);
    chmodSync(join(to, 'postgres'), 0o755);
    await (await startEmbeddedPostgres({ dataDir: to, purpose: 'root' })).stop();
    expect(statSync(join(to, 'postgres')).uid).not.toBe(0);
  });

  test.runIf(hasSetpriv)('starts it under a folder that only root may enter, with that one privilege', async () => {
    const dataDir = createFolder('data', 0o700);
    const database = await startEmbeddedPostgres({ dataDir, purpose: 'root' });
    await query(database.connection, 'CREATE TABLE kept AS SELECT 1 AS x');
    const { pid } = serverOf(dataDir);
    expect(uidOf(pid)).not.toBe(0);
    const status = execFileSync('cat', [`/proc/${pid}/status`], { encoding: 'utf8' });
    expect(/^CapEff:\s*(\w+)$/m.exec(status)?.[1]).toBe('0000000000000002');
    await database.stop();
  });

  test.runIf(hasSetpriv)('runs binaries that only root may reach, as in a clone below /root', async () => {
    const dataDir = createFolder('data', 0o700);
    mkdirSync(dataDir);
    const { postgres } = await findPostgresBinaries();
    const native = join(dirname(dataDir), 'native');
    cpSync(join(dirname(postgres), '..'), native, { recursive: true, verbatimSymlinks: true });
    const binaries = {
      initdb: join(native, 'bin', 'initdb'),
      postgres: join(native, 'bin', 'postgres'),
      hasModule: () => false,
    };
    const user = resolveDatabaseUser(dataDir, binaries.postgres);
    const cluster = await prepareCluster({ dataDir, binaries, user, durable: false });
    expect(statSync(join(cluster, 'PG_VERSION')).uid).toBe(user.uid);
  });
});

function uidOf(pid: number): number {
  return statSync(`/proc/${pid}`).uid;
}
