import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

interface Run {
  child: ChildProcess;
  output: () => string;
  ended: Promise<number | null>;
}

let dataDir: string;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'tributary main '));
});

afterAll(() => rm(dataDir, { recursive: true, force: true }));

function run(environment: Record<string, string>, flags: readonly string[] = []): Run {
  const child = spawn(process.execPath, [...flags, 'src/main.ts'], {
    env: { ...process.env, NODE_ENV: 'development', PORT: '0', HOST: '127.0.0.1', DATA_DIR: dataDir, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (text += chunk));
  return { child, output: () => text, ended: once(child, 'close').then(([code]) => code as number | null) };
}

/** The origin it serves at, once it does. */
async function served({ output, ended }: Run): Promise<string> {
  let isOver = false;
  void ended.then(() => (isOver = true));
  for (;;) {
    const origin = /at (http:\/\/[\d.:]+)\/graphql/.exec(output());
    if (origin) return origin[1]!;
    if (isOver) throw new Error(`ended before it served:\n${output()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function ask(origin: string, query: string, token?: string) {
  const headers = {
    'content-type': 'application/json',
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
  };
  const response = await fetch(`${origin}/graphql`, { method: 'POST', headers, body: JSON.stringify({ query }) });
  return (await response.json()) as {
    data: Record<string, Record<string, unknown>>;
    errors?: { extensions: { code: string } }[];
  };
}

describe('the process', () => {
  test('starts from nothing, answers in all four domains, and ends on SIGTERM', { timeout: 60_000 }, async () => {
    const first = run({});
    const origin = await served(first);
    const { data } = await ask(
      origin,
      `{ viewer { name } features { totalCount } conversations { totalCount } sites { nodes { forecast { points { p50 } } } }
        analytics(range: { from: "2026-01-01T00:00:00Z", to: "2026-02-01T00:00:00Z" }) { featureThroughput(interval: MONTH) { created } } }`,
    );
    expect(data).toMatchObject({ viewer: { name: expect.any(String) }, features: { totalCount: expect.any(Number) } });
    expect(data.features?.totalCount).toBeGreaterThan(100);
    expect(data.sites?.nodes).toHaveLength(3);

    const second = run({});
    expect(await second.ended).toBe(1);
    expect(second.output()).toContain(`in use by pid ${first.child.pid}`);

    first.child.kill('SIGTERM');
    expect(await first.ended).toBe(0);
  });

  test('starts again on the same data, which it does not seed twice', { timeout: 60_000 }, async () => {
    const again = run({}, ['--trace-pretenuring-statistics']);
    const origin = await served(again);
    const { data } = await ask(origin, '{ sites { totalCount } }');
    expect(data).toEqual({ sites: { totalCount: 3 } });
    const atStart = again.output().length;
    const page = '{ features(first: 100) { nodes { owner { name } } } }';
    await Promise.all(Array.from({ length: 60 }, () => ask(origin, page)));
    again.child.kill('SIGINT');
    expect(await again.ended).toBe(0);
    // The garbage collection is tuned: V8 looks at nothing of this kind any more.
    expect(again.output().slice(atStart)).not.toContain('pretenuring');
  });

  test('starts its Postgres again when that ends, and serves on', { timeout: 60_000 }, async () => {
    const server = run({});
    const origin = await served(server);
    const postmaster = Number((await readFile(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8')).split('\n')[0]);
    process.kill(postmaster, 'SIGKILL');
    const codes = new Set<unknown>();
    await expect
      .poll(
        async () => {
          const { data, errors } = await ask(origin, '{ sites { totalCount } }');
          for (const { extensions } of errors ?? []) codes.add(extensions.code);
          return data?.sites;
        },
        { timeout: 30_000, interval: 50 },
      )
      .toEqual({ totalCount: 3 });
    await expect.poll(() => server.output(), { timeout: 10_000 }).toContain('started again');
    await expect.poll(async () => (await fetch(`${origin}/readyz`)).status, { timeout: 10_000 }).toBe(200);
    expect([...codes].filter((code) => code !== 'OVERLOADED')).toEqual([]);
    server.child.kill('SIGTERM');
    expect(await server.ended).toBe(0);
  });

  test('on SIGTERM is not ready, but serves until load balancers have seen it', { timeout: 60_000 }, async () => {
    const ending = run({ DRAIN_DELAY_MS: '1500' });
    const origin = await served(ending);
    ending.child.kill('SIGTERM');
    await expect.poll(async () => (await fetch(`${origin}/readyz`)).status).toBe(503);
    expect((await fetch(`${origin}/healthz`)).status).toBe(200);
    expect(await ask(origin, '{ sites { totalCount } }')).toEqual({ data: { sites: { totalCount: 3 } } });
    expect(await ending.ended).toBe(0);
  });

  test('on a second signal ends at once', { timeout: 60_000 }, async () => {
    const ending = run({ DRAIN_DELAY_MS: '60000' });
    const origin = await served(ending);
    ending.child.kill('SIGTERM');
    await expect.poll(async () => (await fetch(`${origin}/readyz`)).status).toBe(503);
    const startedAt = performance.now();
    ending.child.kill('SIGTERM');
    expect(await ending.ended).toBe(1);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  test('takes a token made for development, and no other', { timeout: 60_000 }, async () => {
    const server = run({});
    const origin = await served(server);
    const args = ['src/auth/token-cli.ts', '--user', 'ada@riverbank.example', '--scope', 'read'];
    const { stdout } = await promisify(execFile)(process.execPath, args, {
      env: { ...process.env, DATA_DIR: dataDir },
    });
    const create = 'mutation { createFeature(input: { name: "x" }) { feature { id } } }';
    expect(await ask(origin, '{ viewer { email } }', stdout.trim())).toEqual({
      data: { viewer: { email: 'ada@riverbank.example' } },
    });
    expect(await ask(origin, create, stdout.trim())).toMatchObject({ errors: [{ extensions: { code: 'FORBIDDEN' } }] });
    expect(await ask(origin, '{ viewer { email } }', `${stdout.trim()}x`)).toMatchObject({
      errors: [{ extensions: { code: 'UNAUTHENTICATED' } }],
    });
    server.child.kill('SIGTERM');
    expect(await server.ended).toBe(0);
  });

  test.each([
    [{ PORT: 'x' }, 'PORT is "x": expected a port, 0 to 65535 (0 picks a free one)\n'],
    [{ NODE_ENV: 'production' }, /^AUTH_JWKS_URL, AUTH_ISSUER and AUTH_AUDIENCE are not set/],
    [{ DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' }, /^DATABASE_URL: nobody answers there/],
    [{ MODELS_DIR: '/nowhere' }, /^MODELS_DIR/],
  ])('ends the start with one line for %o', async (environment, message) => {
    const wrong = run({ LOG_LEVEL: 'warn', ...environment });
    expect(await wrong.ended).toBe(1);
    if (typeof message === 'string') expect(wrong.output()).toBe(message);
    else expect(wrong.output()).toMatch(message);
    expect(wrong.output().trim().split('\n')).toHaveLength(1);
  });
});
