/** The client code of a Relay application, and what relay-compiler makes of it. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { ConcreteRequest, ReaderFragment } from 'relay-runtime';

/** As in a module App.js: Relay wants its name at the start of theirs. */
const documents = [
  `query AppQuery($first: Int!) {
    viewer { id name }
    ...App_features @arguments(first: $first)
  }`,
  `fragment App_features on Query
    @argumentDefinitions(first: { type: "Int!" }, after: { type: "String" })
    @refetchable(queryName: "AppFeaturesPaginationQuery") {
    features(first: $first, after: $after, orderBy: { field: NAME, direction: ASC }) @connection(key: "App_features") {
      edges { node { id name } }
    }
  }`,
  'query AppFeatureQuery($id: ID!) { feature(id: $id) { ...App_feature ...App_tests } }',
  `fragment App_feature on Feature @refetchable(queryName: "AppFeatureRefetchQuery") { name }`,
  `fragment App_tests on Feature
    @argumentDefinitions(first: { type: "Int", defaultValue: 2 }, after: { type: "String" })
    @refetchable(queryName: "AppTestsPaginationQuery") {
    testCases(first: $first, after: $after) @connection(key: "App_testCases") { edges { node { name } } }
  }`,
  'mutation AppRenameMutation($input: UpdateFeatureInput!) { updateFeature(input: $input) { feature { name } } }',
  `mutation AppCreateMutation($input: CreateFeatureInput!, $connections: [ID!]!) {
    createFeature(input: $input) {
      feature @appendNode(connections: $connections, edgeTypeName: "FeatureEdge") { id name }
    }
  }`,
  `mutation AppDeleteMutation($input: DeleteFeatureInput!, $connections: [ID!]!) {
    deleteFeature(input: $input) { deletedId @deleteEdge(connections: $connections) }
  }`,
];

export interface RelayApp {
  /** The persisted map, as it is in its file. */
  manifest: string;
  request(name: string): ConcreteRequest;
  fragment(name: string): ReaderFragment;
}

/**
 * Runs relay-compiler with a persisted map.
 * @param algorithm of the ids; by default the one of relay-compiler, which is MD5
 */
export async function compileRelayApp(algorithm?: 'SHA256'): Promise<RelayApp> {
  const folder = await mkdtemp(join(tmpdir(), 'relay-'));
  try {
    const config = {
      src: './src',
      language: 'javascript',
      schema: resolve('schema.graphql'),
      artifactDirectory: './artifacts',
      // CommonJS, whose imports Node finds without the ending of the file.
      eagerEsModules: false,
      // The file must be there before.
      persistConfig: { file: './documents.json', ...(algorithm && { algorithm }) },
    };
    await writeFile(join(folder, 'relay.config.json'), JSON.stringify(config));
    await writeFile(join(folder, 'documents.json'), '{}');
    for (const name of ['src', 'artifacts']) await mkdir(join(folder, name));
    const code = documents.map((text) => `graphql\`${text}\`;\n`).join('');
    await writeFile(join(folder, 'src/App.js'), code);
    // It looks for the file of its persisted map from where it runs.
    const options = [resolve('node_modules/relay-compiler/cli.js'), 'relay.config.json'];
    await promisify(execFile)(process.execPath, options, { cwd: folder });
    const require = createRequire(join(folder, 'artifacts/App.js'));
    const files = await readdir(join(folder, 'artifacts'));
    // Loaded while they are there.
    const artifacts = new Map(
      files.map((file): [string, unknown] => [file.replace('.graphql.js', ''), require(`./${file}`)]),
    );
    return {
      manifest: await readFile(join(folder, 'documents.json'), 'utf8'),
      request: (name) => artifacts.get(name) as ConcreteRequest,
      fragment: (name) => artifacts.get(name) as ReaderFragment,
    };
  } finally {
    await rm(folder, { recursive: true });
  }
}
