/** `npm run persist -- GLOB`: the manifest of a client's operations, into a file or to the servers by Redis. */
import { glob, readFile, rename, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { Command, Option } from 'commander';
import { readConfig } from '../config.ts';
import { StartupError } from '../errors.ts';
import { explainFailure } from '../explain-failure.ts';
import { type ManifestEntry, readManifest } from '../http/trusted-documents/manifest.ts';
import { publishedKey, publishedPath, readPublished } from '../http/trusted-documents/published-manifest.ts';
import type { Redis } from '../redis/client.ts';
import { schema } from '../schema/index.ts';
import { findManifestProblems } from './check-manifest.ts';
import { isClientFile, readClientDefinitions } from './client-definitions.ts';
import { type ManifestFormat, manifestFormats, printManifest } from './manifest-formats.ts';
import { keepWarmUps, readManifestOperations } from './manifest-operations.ts';
import { type PersistedOperation, persistOperations } from './persisted-operations.ts';
import { publish, withRedis } from './publish.ts';

interface Flags {
  out?: string;
  manifest?: string;
  format: ManifestFormat;
  typename: boolean;
  check: boolean;
  publish: boolean;
  replace: boolean;
}

async function main(globs: readonly string[], flags: Flags): Promise<boolean> {
  // A manifest needs no viewers, so no settings of theirs either.
  const { trustedDocumentsPath, redisUrl } = readConfig(undefined, 'models');
  const path = flags.publish ? publishedPath : (flags.out ?? trustedDocumentsPath);
  if (flags.publish && flags.out !== undefined) throw new StartupError('Expected --publish or --out, got both');
  if (flags.replace && path !== publishedPath) throw new StartupError('Expected --replace beside --publish only');
  if (flags.check && path === publishedPath) return withRedis(redisUrl, checkPublished);
  if (flags.check) return check(path, flags.out !== undefined);
  const operations = await collect(globs, flags);
  if (operations === null) return false;
  if (path === publishedPath) return withRedis(redisUrl, (redis) => publishOperations(redis, operations, flags));
  const before = await readFile(path, 'utf8').catch(() => '{}');
  // Whole at once, as servers may follow the file.
  await writeFile(`${path}.new`, printManifest(withWarmUps(operations, before), flags.format));
  await rename(`${path}.new`, path);
  console.log(`${path}: ${operations.length} operations`);
  return true;
}

/** null: something is wrong with them, and has been said. */
async function collect(globs: readonly string[], flags: Flags): Promise<PersistedOperation[] | null> {
  const { manifest, format, typename } = flags;
  const definitions = await readClientDefinitions(await findFiles(globs, manifest !== undefined));
  const { operations, problems } = persistOperations(schema, definitions, { addsTypename: typename, format });
  const others = manifest === undefined ? null : readManifestOperations(schema, await readText(manifest));
  const lines = [
    ...problems.map(({ file, line, message }) => `${file}:${line}: ${message}`),
    ...(others?.problems ?? []).map((problem) => `${manifest}: ${problem}`),
  ];
  for (const line of lines) console.error(line);
  if (lines.length > 0) return null;
  const all = [...operations, ...(others?.operations ?? [])];
  if (all.length === 0) throw new StartupError(`No operation in ${globs.join(' ')}: expected one at least`);
  return all;
}

/** A manifest that cannot be read has none to keep. */
function withWarmUps(operations: readonly PersistedOperation[], before: string): PersistedOperation[] {
  const { operations: kept, dropped } = keepWarmUps(schema, operations, readOrNone(before));
  for (const line of dropped) console.warn(`${line}: left out`);
  return kept;
}

function readOrNone(manifest: string): ManifestEntry[] {
  try {
    return readManifest(manifest);
  } catch {
    return [];
  }
}

async function publishOperations(
  redis: Redis,
  operations: readonly PersistedOperation[],
  { replace: isReplacing }: Flags,
): Promise<boolean> {
  const before = await readPublished(redis).catch(() => null);
  const manifest = printManifest(withWarmUps(operations, before?.text ?? '{}'), 'apollo');
  const { documents, added, problems } = await publish(redis, schema, manifest, { isReplacing });
  for (const problem of problems) console.warn(`of an earlier manifest: ${problem}`);
  console.log(`${publishedPath} ${documents} operations, ${added} of them new`);
  return true;
}

async function check(path: string, isRequired: boolean): Promise<boolean> {
  const manifest = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' && !isRequired) return null;
    throw new StartupError(`${path} cannot be read: ${error.message}`);
  });
  return manifest === null || isGood(path, manifest);
}

async function checkPublished(redis: Redis): Promise<boolean> {
  const manifest = await readPublished(redis);
  return manifest === null || isGood(publishedKey, manifest.text);
}

function isGood(path: string, manifest: string): boolean {
  const problems = findManifestProblems(schema, manifest);
  for (const problem of problems) console.error(`${path}: ${problem}`);
  return problems.length === 0;
}

/** By name, so that the manifest does not depend on the order of a folder. */
async function findFiles(globs: readonly string[], hasManifest: boolean): Promise<string[]> {
  if (globs.length === 0 && hasManifest) return [];
  if (globs.length === 0) throw new StartupError('Expected a GLOB such as "src/**/*.{graphql,ts,tsx}", got none');
  const files = new Set<string>();
  for await (const file of glob([...globs], { exclude: isPackages })) if (isClientFile(file)) files.add(file);
  if (files.size > 0) return [...files].sort();
  throw new StartupError(`No .graphql, .gql, .ts, .tsx, .mts, .js, .jsx or .mjs file matches ${globs.join(' ')}`);
}

async function readText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: Error) => {
    throw new StartupError(`${path} cannot be read: ${error.message}`);
  });
}

function isPackages(path: string): boolean {
  return basename(path) === 'node_modules';
}

const command = new Command('npm run persist --')
  .description('Writes the manifest of trusted documents from .graphql files or from gql`…` and graphql`…` in code.')
  .argument('[globs...]', 'the files to read, such as "src/**/*.{graphql,ts,tsx}"; node_modules are passed over')
  .option('--out <file>', 'the manifest; by default TRUSTED_DOCUMENTS_PATH')
  .option('--publish', 'send the manifest to the servers by REDIS_URL, instead of into a file', false)
  .option('--replace', 'with --publish: remove what was published before; by default old documents stay', false)
  .option('--manifest <file>', 'documents to take over with their ids, as relay-compiler or Apollo wrote them')
  .addOption(new Option('--format <format>', 'what it is written as').choices(manifestFormats).default('apollo'))
  .option('--typename', 'ask for __typename in each selection, as Apollo Client does', false)
  .option('--check', 'write nothing: only hold the manifest that is there against the schema', false)
  .action(async (globs: string[], flags: Flags) => {
    if (!(await main(globs, flags))) process.exitCode = 1;
  });

try {
  await command.parseAsync();
} catch (error) {
  console.error(explainFailure(error));
  process.exitCode = 1;
}
