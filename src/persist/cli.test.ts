// biome-ignore-all lint/suspicious/noTemplateCurlyInString: sources of clients hold templates
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { parseManifest, sha256Of } from '../http/trusted-documents/manifest.ts';
import { indexDocuments, type TrustedDocuments } from '../http/trusted-documents/trusted-documents.ts';
import { createTestApp, type TestApp } from '../testing/test-app.ts';
import { type ManifestFormat, manifestFormats } from './manifest-formats.ts';

const client = {
  'fragments.graphql':
    'fragment Person on User { id ...Named }\nfragment Named on User { name }\nfragment Unused on User { id }\n',
  'pages/viewer.tsx':
    "import { gql } from 'x';\n\nexport const viewer = gql`\n  query ViewerPage { viewer { ...Person } }\n  ${Person}\n`;\n",
  'pages/features.js':
    'const q = graphql(`query FeaturePage($first: Int! = 7, $name: String) {\n  features(filter: { nameContains: $name }, first: $first) { nodes { name } }\n}`);',
  'node_modules/other/index.graphql': 'query Foreign { __typename }',
  'style.css': 'gql`nothing`',
  'types.graphql': 'extend type Query { local: Int }',
};

let folder = '';
let app: TestApp;
let served: TrustedDocuments;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'persist-'));
  const trustedDocuments: TrustedDocuments = {
    get size() {
      return served.size;
    },
    find: (id) => served.find(id),
    has: (body) => served.has(body),
    toWarm: [],
  };
  app = await createTestApp({ trustedDocuments, settings: { trustedDocuments: 'only' } });
});

afterAll(async () => {
  await app.close();
  await rm(folder, { recursive: true });
});

afterEach(() => rm(join(folder, 'client'), { recursive: true, force: true }));

const out = () => join(folder, 'manifest.json');
const write = async (files: Record<string, string>) => {
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, 'client', name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }
};
const run = (...options: string[]) =>
  new Promise<{ code: number; output: string }>((resolve) => {
    execFile(process.execPath, ['src/persist/cli.ts', ...options], (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), output: `${stdout}${stderr}`.replaceAll(`${folder}/client/`, '') }),
    );
  });
const persist = (...options: string[]) => run(join(folder, 'client/**/*'), '--out', out(), ...options);
const persisted = async (format: ManifestFormat) => {
  expect(await persist('--format', format)).toMatchObject({ code: 0 });
  return readFile(out(), 'utf8');
};

describe('npm run persist', () => {
  test.each(manifestFormats)('writes the format %s, and the server runs what it says', async (format) => {
    await write(client);
    const text = await persisted(format);
    expect(await persisted(format)).toBe(text);
    const documents = parseManifest(text);
    served = indexDocuments(documents);
    expect(documents).toHaveLength(2);
    for (const { id, body, sha256 } of documents) {
      expect(id).toMatch(format === 'relay' ? /^[0-9a-f]{32}$/ : new RegExp(`^${sha256}$`));
      const name = /^query (\w+)/.exec(body)![1];
      const answer = await app.fetch('/graphql', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ documentId: id, variables: { name: 'something' } }),
      });
      const { data, errors } = (await answer.json()) as { data: object; errors?: unknown };
      expect(errors).toBeUndefined();
      expect(data).toMatchObject(
        name === 'ViewerPage'
          ? { viewer: { id: expect.any(String), name: expect.any(String) } }
          : { features: { nodes: [] } },
      );
    }
  });

  test('says of each operation what it is, what it costs and what it takes', async () => {
    await write(client);
    const { operations } = JSON.parse(await persisted('apollo'));
    expect(operations.map(({ name }: { name: string }) => name)).toEqual(['FeaturePage', 'ViewerPage']);
    const [features, viewer] = operations;
    expect(features).toMatchObject({
      id: sha256Of(features.body),
      type: 'query',
      // The connection and 7 items.
      cost: 8,
      variables: { first: 'Int!', name: 'String' },
    });
    expect(viewer.body).toBe(
      'query ViewerPage {\n  viewer {\n    ...Person\n  }\n}\n\nfragment Named on User {\n  name\n}\n\nfragment Person on User {\n  id\n  ...Named\n}',
    );
    expect(await persist('--typename')).toMatchObject({ code: 0 });
    expect(await readFile(out(), 'utf8')).toContain('...Person\\n    __typename\\n  }\\n}\\n\\nfragment');
  });

  test('writes nothing when something is wrong, and says where', async () => {
    await write(client);
    const before = await persisted('apollo');
    await write({
      'pages/wrong.ts':
        'const a = 1;\nconst b = gql`\n  query Wrong {\n    viewer { nothing ...Missing }\n  }\n`;\ngql`{ __typename }`;\ngql`query ${x} { a }`;',
      'syntax.graphql': 'query Fine { __typename }\n\nquery Syntax { viewer {',
      'twice.graphql': '\nquery ViewerPage { __typename }\nfragment Named on User { name }\n',
      'shared.graphql':
        'fragment Shared on User { nobody }\nquery One { viewer { ...Shared } }\nquery Two { viewer { ...Shared } }',
    });
    const { code, output } = await persist();
    expect(code).toBe(1);
    expect(
      output
        .trim()
        .split('\n')
        .map((line) => line.replace(/(:\d+: .{24}).*/, '$1')),
    ).toEqual([
      'pages/wrong.ts:4: Cannot query field "noth',
      'pages/wrong.ts:4: Unknown fragment "Missin',
      'pages/wrong.ts:7: an operation needs a nam',
      'pages/wrong.ts:8: ${x}: expected interpola',
      'shared.graphql:1: Cannot query field "nobo',
      'syntax.graphql:3: Syntax Error: Expected N',
      'twice.graphql:2: the operation ViewerPage',
    ]);
    expect(await readFile(out(), 'utf8')).toBe(before);
  });

  test('names what is wrong with what it is asked', async () => {
    expect(await persist()).toMatchObject({ code: 1, output: expect.stringContaining('No .graphql') });
    expect(await run('--out', out())).toMatchObject({ code: 1, output: expect.stringContaining('Expected a GLOB') });
    expect(await persist('--format', 'other')).toMatchObject({
      code: 1,
      output: expect.stringContaining('apollo, relay, plain'),
    });
    await write({ 'none.graphql': 'fragment A on User { id }' });
    expect(await persist()).toMatchObject({ code: 1, output: expect.stringContaining('No operation in') });
  });

  test('holds a manifest against the schema', async () => {
    await write(client);
    await persisted('apollo');
    expect(await run('--check', '--out', out())).toEqual({ code: 0, output: '' });
    const documents = {
      a: 'query Gone {\n  viewer { gone }\n}',
      b: '{',
      c: 'fragment A on User { id }',
      d: '{ __typename }',
    };
    await writeFile(out(), JSON.stringify(documents));
    const { code, output } = await run('--check', '--out', out());
    expect(code).toBe(1);
    expect(output.trim().split('\n')).toEqual([
      `${out()}: a (Gone): line 2: Cannot query field "gone" on type "User".`,
      `${out()}: b: line 1: Syntax Error: Expected Name, found <EOF>.`,
      `${out()}: c: expected an operation, got none`,
    ]);
    await writeFile(
      out(),
      JSON.stringify({
        format: 'apollo-persisted-query-manifest',
        version: 1,
        operations: [
          {
            id: 'e',
            body: 'query E($n: Int) { features(first: $n) { nodes { id } } }',
            cost: 3,
            variables: { n: 'ID' },
          },
          { id: 'f', name: 'G', type: 'query', body: 'query F { viewer { id } }', cost: 1, variables: {} },
          { id: 'g', body: 'query G { viewer { id } }', warmUp: [{ variables: {} }] },
        ],
      }),
    );
    expect((await run('--check', '--out', out())).output.trim().split('\n')).toEqual([
      `${out()}: e (E): cost: expected 21, got 3`,
      `${out()}: e (E): variables: expected {"n":"Int"}, got {"n":"ID"}`,
      `${out()}: f (F): name: expected "F", got "G"`,
      `${out()}: g (G): warmUp: expected a query whose answers are public`,
    ]);
    await writeFile(out(), '[]');
    expect((await run('--check', '--out', out())).output).toContain('expected an object of ids and documents');
    expect((await run('--check', '--out', join(folder, 'missing.json'))).code).toBe(1);
  });
});
