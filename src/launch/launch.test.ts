import { spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

type Packages = Record<string, Record<string, unknown>>;

const sources = fileURLToPath(new URL('..', import.meta.url));
const node = { version: process.versions.node };
const elsewhere = { version: '1.0.0', optional: true, os: ['nowhere'] };

let project: string;

beforeEach(async () => {
  project = await mkdtemp(join(tmpdir(), 'tributary launch '));
  await mkdir(join(project, 'src'), { recursive: true });
  await cp(join(sources, 'launch'), join(project, 'src/launch'), { recursive: true });
  await cp(join(sources, 'launch.mjs'), join(project, 'src/launch.mjs'));
  await writeFile(join(project, 'hello.mjs'), 'console.log("hello", ...process.argv.slice(2)); process.exitCode = 7;');
  // What npm ci does as far as the launcher can see: it makes node_modules what the lock file says.
  await writeFile(
    join(project, 'npm-cli.js'),
    `const fs = require('node:fs');
    fs.appendFileSync('installs.log', process.argv.slice(2).join(' ') + ' skip=' + process.env.ONNXRUNTIME_NODE_INSTALL + '\\n');
    const { packages } = JSON.parse(fs.readFileSync('package-lock.json', 'utf8'));
    const here = Object.fromEntries(Object.entries(packages).filter(([path, entry]) => path && !entry.os));
    for (const path of Object.keys(here)) fs.mkdirSync(path, { recursive: true });
    fs.writeFileSync('node_modules/.package-lock.json', JSON.stringify({ packages: here }));`,
  );
  await lock({ a: { version: '1.0.0' }, elsewhere });
});

afterEach(() => rm(project, { recursive: true, force: true }));

function lock(packages: Packages): Promise<void> {
  const entries = Object.entries({ node, ...packages }).map(([name, entry]) => [`node_modules/${name}`, entry]);
  return writeFile(
    join(project, 'package-lock.json'),
    JSON.stringify({ packages: Object.fromEntries([['', {}], ...entries]) }),
  );
}

function launch(...options: string[]) {
  const { MALLOC_ARENA_MAX: _, ...outer } = process.env;
  const env = { ...outer, npm_execpath: join(project, 'npm-cli.js') };
  return spawnSync(process.execPath, ['src/launch.mjs', ...options], { cwd: project, env, encoding: 'utf8' });
}

async function installs(): Promise<string[]> {
  const log = await readFile(join(project, 'installs.log'), 'utf8').catch(() => '');
  return log.split('\n').filter((line) => line !== '');
}

describe('the launcher', () => {
  test('installs on the first run, without the download of onnxruntime, and hands over', async () => {
    const first = launch('hello.mjs', 'a b', '--c');
    expect(first.stderr).toBe('Installing packages (first run)…\n');
    expect(first.stdout).toBe('hello a b --c\n');
    expect(first.status).toBe(7);
    expect(await installs()).toEqual([expect.stringMatching(/^ci .* skip=skip$/)]);
  });

  test('installs nothing while node_modules is as the lock file says', async () => {
    launch('hello.mjs');
    expect(launch('hello.mjs').stderr).toBe('');
    expect(await installs()).toHaveLength(1);
  });

  test.each<[string, Packages]>([
    ['another version', { a: { version: '1.0.1' }, elsewhere }],
    ['a new package', { a: { version: '1.0.0' }, b: { version: '1.0.0' }, elsewhere }],
    ['a package less', { elsewhere }],
  ])('installs again for %s', async (_change, packages) => {
    launch('hello.mjs');
    await lock(packages);
    expect(launch('hello.mjs').stderr).toContain('node_modules differs from package-lock.json');
    expect(await installs()).toHaveLength(2);
  });

  test('installs again what somebody removed', async () => {
    launch('hello.mjs');
    await rm(join(project, 'node_modules/a'), { recursive: true });
    expect(launch('hello.mjs').status).toBe(7);
    expect(await installs()).toHaveLength(2);
  });

  test('has memory shared by all threads', async () => {
    await writeFile(join(project, 'arenas.mjs'), 'console.log(process.env.MALLOC_ARENA_MAX);');
    expect(launch('arenas.mjs').stdout).toBe('2\n');
  });

  test('says in one line what is wrong', async () => {
    await writeFile(join(project, 'npm-cli.js'), 'console.error("no network"); process.exit(1);');
    const failed = launch('hello.mjs');
    expect(failed.status).toBe(1);
    expect(failed.stderr).toContain('no network');
    expect(failed.stderr.trim().split('\n').at(-1)).toMatch(
      /^Installing packages failed: "node npm-cli.js ci .* its output is above\.$/,
    );
    await rm(join(project, 'package-lock.json'));
    expect(launch('hello.mjs').stderr).toMatch(/^Cannot read .*package-lock\.json: restore it from git\.\n$/);
  });
});
