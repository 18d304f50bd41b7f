/** `npm run persist -- GLOB`: the manifest of a client's operations; with --check it only holds one against the schema. */
import { glob, readFile, rename, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { Command, Option } from 'commander';
import { readConfig } from '../config.ts';
import { StartupError } from '../errors.ts';
import { explainFailure } from '../explain-failure.ts';
import { schema } from '../schema/index.ts';
import { findManifestProblems } from './check-manifest.ts';
import { isClientFile, readClientDefinitions } from './client-definitions.ts';
import { type ManifestFormat, manifestFormats, printManifest } from './manifest-formats.ts';
import { persistOperations } from './persisted-operations.ts';

interface Flags {
  out?: string;
  format: ManifestFormat;
  typename: boolean;
  check: boolean;
}

async function main(globs: readonly string[], flags: Flags): Promise<boolean> {
  // A manifest needs no viewers, so no settings of theirs either.
  const path = flags.out ?? readConfig(undefined, 'models').trustedDocumentsPath;
  if (flags.check) return check(path, flags.out !== undefined);
  const definitions = await readClientDefinitions(await findFiles(globs));
  const { operations, problems } = persistOperations(schema, definitions, { addsTypename: flags.typename });
  for (const { file, line, message } of problems) console.error(`${file}:${line}: ${message}`);
  if (problems.length > 0) return false;
  if (operations.length === 0) throw new StartupError(`No operation in ${globs.join(' ')}: expected one at least`);
  // Whole at once, as servers may follow the file.
  await writeFile(`${path}.new`, printManifest(operations, flags.format));
  await rename(`${path}.new`, path);
  console.log(`${path}: ${operations.length} operations`);
  return true;
}

async function check(path: string, isRequired: boolean): Promise<boolean> {
  const manifest = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' && !isRequired) return null;
    throw new StartupError(`${path} cannot be read: ${error.message}`);
  });
  if (manifest === null) return true;
  const problems = findManifestProblems(schema, manifest);
  for (const problem of problems) console.error(`${path}: ${problem}`);
  return problems.length === 0;
}

/** By name, so that the manifest does not depend on the order of a folder. */
async function findFiles(globs: readonly string[]): Promise<string[]> {
  if (globs.length === 0) throw new StartupError('Expected a GLOB such as "src/**/*.{graphql,ts,tsx}", got none');
  const files = new Set<string>();
  for await (const file of glob([...globs], { exclude: isPackages })) if (isClientFile(file)) files.add(file);
  if (files.size > 0) return [...files].sort();
  throw new StartupError(`No .graphql, .gql, .ts, .tsx, .mts, .js, .jsx or .mjs file matches ${globs.join(' ')}`);
}

function isPackages(path: string): boolean {
  return basename(path) === 'node_modules';
}

const command = new Command('npm run persist --')
  .description('Writes the manifest of trusted documents from .graphql files or from gql`…` and graphql`…` in code.')
  .argument('[globs...]', 'the files to read, such as "src/**/*.{graphql,ts,tsx}"; node_modules are passed over')
  .option('--out <file>', 'the manifest; by default TRUSTED_DOCUMENTS_PATH')
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
