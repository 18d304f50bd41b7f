import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { scopes, type Viewer } from '../context.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../db/embedded/embedded-postgres.ts';
import { migrate } from '../db/migrate.ts';
import { createPool } from '../db/pool.ts';
import { createOrganization } from '../testing/seed-builders.ts';
import { createDevelopmentKeys, developmentIssuer, readDevelopmentKey } from './development-key.ts';
import { createTokenVerifier } from './token-verifier.ts';

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tributary-key-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

function runNode(args: string[], environment: Record<string, string> = {}): Promise<Ended> {
  const env = { ...process.env, NODE_ENV: 'development', ...environment };
  return new Promise((resolve) => {
    execFile(process.execPath, args, { env, timeout: 60_000 }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr }),
    );
  });
}

describe('the development key', () => {
  test('is one, whoever of many processes makes it, and only its owner may read it', async () => {
    const dataDir = join(folder, 'new', 'folder');
    const module = JSON.stringify(pathToFileURL(join(import.meta.dirname, 'development-key.ts')).href);
    const source = `import { readDevelopmentKey } from ${module};
      const keys = await Promise.all([1, 2, 3].map(() => readDevelopmentKey(${JSON.stringify(dataDir)})));
      process.stdout.write(keys.map((key) => key.d).join());`;
    const ends = await Promise.all(
      Array.from({ length: 4 }, () => runNode(['--input-type=module-typescript', '-e', source])),
    );
    const { d } = await readDevelopmentKey(dataDir);
    expect(ends.map(({ stdout }) => stdout)).toEqual(Array.from({ length: 4 }, () => `${d},${d},${d}`));
    expect(await readdir(dataDir)).toEqual(['development-key.json']);
    expect((await stat(join(dataDir, 'development-key.json'))).mode & 0o777).toBe(0o600);
  });

  test.each(['', '{', 'null', '{"kty":"RSA"}'])('that is %j is refused by name', async (text) => {
    const dataDir = await mkdtemp(join(folder, 'bad-'));
    await writeFile(join(dataDir, 'development-key.json'), text);
    await expect(readDevelopmentKey(dataDir)).rejects.toThrow(/development-key.json is not a development key: delete/);
  });
});

describe('npm run token', () => {
  let server: EmbeddedPostgres;
  let dataDir: string;
  let viewer: Viewer;
  let email: string;
  let twin: Viewer;

  beforeAll(async () => {
    dataDir = join(folder, 'data');
    await chmod(folder, 0o755);
    server = await startEmbeddedPostgres({ dataDir, purpose: 'npm test' });
    await migrate(server.connection);
    const pool = createPool({ connection: server.connection, size: 1 });
    viewer = await createOrganization(pool, 'First');
    twin = await createOrganization(pool, 'Second');
    email = `${viewer.userId}@test.example`;
    const both = 'update users set email = $1 where id = $2';
    await pool.run({ name: 'testTwin', text: both }, ['both@test.example', twin.userId]);
    const third = await createOrganization(pool, 'Third');
    await pool.run({ name: 'testTwin', text: both }, ['both@test.example', third.userId]);
    const gone = await createOrganization(pool, 'Fourth');
    const text = `update users set email = 'gone@test.example', is_active = false where id = $1`;
    await pool.run({ name: 'testGone', text }, [gone.userId]);
    await pool.close();
  }, 60_000);

  afterAll(() => server.stop());

  const run = (args: string[], environment: Record<string, string> = {}) =>
    runNode(['src/auth/token-cli.ts', ...args], { DATA_DIR: dataDir, ...environment });

  test('prints a token beside a running server, and nothing else', async () => {
    const { code, stdout, stderr } = await run(['--user', email]);
    expect([code, stderr]).toEqual([0, '']);
    const token = stdout.trimEnd();
    expect(stdout).toBe(`${token}\n`);
    expect(decodeProtectedHeader(token).alg).toBe('EdDSA');
    const { exp, iat } = decodeJwt(token);
    expect(exp! - iat!).toBe(12 * 3_600);
    const verify = createTokenVerifier(developmentIssuer, createDevelopmentKeys(dataDir));
    expect(await verify(token)).toMatchObject({ viewer: { ...viewer, scopes } });
  });

  test('takes organization, scopes and hours', async () => {
    const args = ['--user', 'both@test.example', '--organization', twin.organizationId, '--scope', 'read'];
    const { stdout } = await run([...args, '--hours', '1']);
    const { org, sub, scope, exp, iat } = decodeJwt(stdout.trimEnd());
    expect({ org, sub, scope, seconds: exp! - iat! }).toEqual({
      org: twin.organizationId,
      sub: twin.userId,
      scope: 'read',
      seconds: 3_600,
    });
  });

  test.each<[string[], Record<string, string>, RegExp]>([
    [['--user', 'nobody@test.example'], {}, /No user has the email "nobody@test.example": .*ada@riverbank.example/],
    [['--user', 'both@test.example'], {}, /in several organizations: .*\(Second\), .*\(Third\)/],
    [['--user', 'both@test.example', '--organization', 'x'], {}, /--organization is "x": expected one .*\(Second\)/],
    [['--user', 'gone@test.example'], {}, /not active in Fourth/],
    [['--user', 'a', '--scope', 'read root'], {}, /--scope has "root": expected some of read, write, admin/],
    [['--user', 'a', '--hours', '0'], {}, /--hours is "0": expected a whole number, 1 to 8760/],
    [['--user', 'a'], { NODE_ENV: 'production', AUTH: 'off' }, /NODE_ENV is "production"/],
    [['--user', 'a'], { NODE_ENV: 'production' }, /NODE_ENV=production/],
    [['--user', 'a'], { AUTH: 'off' }, /AUTH is "off"/],
    [[], {}, /--user <email>/],
  ])('with %j and %j says what is wrong, on stderr', async (args, environment, message) => {
    const { code, stdout, stderr } = await run(args, environment);
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain('    at ');
  });
});
