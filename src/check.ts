import { execFile, spawn } from 'node:child_process';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';

/** `npm run check`: format, lint, types, schema.graphql, migrations and trusted documents, all of them even when one fails. */
const checks: readonly (readonly [name: string, run: () => Promise<boolean>])[] = [
  ['format and lint', () => runTool('@biomejs/biome/bin/biome', ['check', '--error-on-warnings', '.'])],
  ['types', () => runTool('typescript/bin/tsc', ['--noEmit'])],
  ['schema.graphql', () => run(process.execPath, ['src/schema/print.ts', '--check'])],
  ['migrations', areMigrationsUpToDate],
  ['trusted documents', () => run(process.execPath, ['src/persist/cli.ts', '--check'])],
];

let failed = 0;
for (const [name, check] of checks) {
  const isGood = await check();
  console.log(`${isGood ? 'ok    ' : 'FAILED'} ${name}`);
  if (!isGood) failed += 1;
}
process.exitCode = failed > 0 ? 1 : 0;

/**
 * Generates into a copy: anything to generate is a change of the tables that no migration brings. drizzle-kit takes
 * relative folders only and exits with 0 whatever happens, so its words decide.
 */
async function areMigrationsUpToDate(): Promise<boolean> {
  const copy = await mkdtemp(join(tmpdir(), 'tributary-migrations-'));
  try {
    await cp('drizzle', copy, { recursive: true });
    const options = ['generate', '--dialect', 'postgresql', '--schema', './src/{domains/*,cache}/tables.ts'];
    const tool = ['node_modules/drizzle-kit/bin.cjs', ...options, '--out', relative('.', copy)];
    const { stdout, stderr } = await promisify(execFile)(process.execPath, tool);
    if (stdout.includes('No schema changes')) return true;
    console.error(`${stdout}${stderr}the tables have changed: run \`npm run db:generate\` and commit the migration`);
    return false;
  } finally {
    await rm(copy, { recursive: true });
  }
}

function runTool(script: string, options: readonly string[]): Promise<boolean> {
  return run(process.execPath, [`node_modules/${script}`, ...options]);
}

function run(command: string, options: readonly string[]): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, options, { stdio: ['ignore', 'inherit', 'inherit'] });
    child.once('error', reject);
    child.once('close', (code) => resolve(code === 0));
  });
}
