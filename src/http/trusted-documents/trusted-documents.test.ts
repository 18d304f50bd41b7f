import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { type ServedApp, serveApp } from '../../testing/serve-app.ts';
import { createTestApp } from '../../testing/test-app.ts';
import { sha256Of } from './manifest.ts';
import { createRegisteredDocuments } from './registered-documents.ts';
import { type FollowedDocuments, openTrustedDocuments } from './trusted-documents.ts';

let folder = '';
let path = '';
let served: ServedApp;
let documents: FollowedDocuments;
const reloads: number[] = [];
const problems: string[] = [];
const callbacks = {
  pollMs: 10,
  onReload: (size: number) => void reloads.push(size),
  onProblem: (error: Error) => void problems.push(`${error.message}: ${(error.cause as Error).message}`),
};

/** Whole at once, as a deployment does it. */
const write = async (text: string) => {
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
};
const manifest = (documents: Record<string, string>) => JSON.stringify(documents);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trusted-documents-'));
  path = join(folder, 'documents.json');
  await write(manifest({ version: '{ v0: __typename }', steady: '{ steady: __typename }' }));
  documents = await openTrustedDocuments({ path, isRequired: true, ...callbacks });
  const app = await createTestApp({ trustedDocuments: documents, settings: { trustedDocuments: 'only' } });
  served = await serveApp(app, () => false, { corsOrigins: ['https://app.example.com'] });
});

afterAll(async () => {
  documents.close();
  await served.close();
  await rm(folder, { recursive: true });
});

beforeEach(() => {
  reloads.length = 0;
  problems.length = 0;
});

const get = (id: string, query = '') => fetch(`${served.origin}/graphql/${id}${query}`);
const post = (id: string, body: unknown, query = '') =>
  fetch(`${served.origin}/graphql/${id}${query}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: 'https://app.example.com' },
    body: JSON.stringify(body),
  });

describe('the file of trusted documents', () => {
  test('is followed while requests run: each gets one version of it, and none fails', async () => {
    const seen = new Set<string>();
    let isDone = false;
    let answers = 0;
    const asking = Array.from({ length: 4 }, async () => {
      while (!isDone) {
        const [version, steady] = await Promise.all([get('version'), get('steady')]);
        expect([version.status, steady.status]).toEqual([200, 200]);
        seen.add(Object.keys(((await version.json()) as { data: object }).data).join());
        answers += 1;
      }
    });
    for (let version = 1; version <= 3; version++) {
      await write(manifest({ version: `{ v${version}: __typename }`, steady: '{ steady: __typename }' }));
      await expect.poll(() => seen.has(`v${version}`)).toBe(true);
    }
    isDone = true;
    await Promise.all(asking);
    expect([...seen].sort()).toEqual(['v0', 'v1', 'v2', 'v3']);
    expect(reloads).toEqual([2, 2, 2]);
    expect(answers).toBeGreaterThan(3);
    expect(problems).toEqual([]);
  });

  test('that is broken or gone leaves what was there, and is told of once', async () => {
    await write('{ "version": ');
    await vi.waitFor(() => expect(problems).toHaveLength(1));
    expect(problems[0]).toContain(`${path} cannot be read: expected JSON`);
    expect((await get('version')).status).toBe(200);
    await rm(path);
    await vi.waitFor(() => expect(problems).toHaveLength(2));
    expect(problems[1]).toContain('not there any more');
    expect((await get('steady')).status).toBe(200);
    await write(manifest({ other: '{ other: __typename }' }));
    await vi.waitFor(() => expect(reloads).toEqual([1]));
    expect((await get('other')).status).toBe(200);
    expect(await (await get('version')).json()).toMatchObject({ errors: [{ message: 'PersistedQueryNotFound' }] });
    expect(problems).toHaveLength(2);
  });

  test('is not read while it is still being written', async () => {
    const slow = join(folder, 'slow.json');
    await writeFile(slow, '{}');
    const found = await openTrustedDocuments({ path: slow, isRequired: true, ...callbacks, pollMs: 100 });
    // Several looks, with many writes between any two of them.
    const end = performance.now() + 600;
    while (performance.now() < end) await writeFile(slow, '{ "a": ');
    await writeFile(slow, manifest({ a: '{ a: __typename }' }));
    await expect.poll(() => found.size).toBe(1);
    expect([problems, reloads]).toEqual([[], [1]]);
    found.close();
  });

  test('ends the start with one line when it is broken, or needed and not there', async () => {
    const missing = join(folder, 'missing.json');
    await expect(openTrustedDocuments({ path: missing, isRequired: true, ...callbacks })).rejects.toThrow(
      `the trusted documents of ${missing} are not there: run npm run persist -- GLOB`,
    );
    const broken = join(folder, 'broken.json');
    await writeFile(broken, '[]');
    await expect(openTrustedDocuments({ path: broken, isRequired: false, ...callbacks })).rejects.toThrow(
      'expected an object of ids and documents, got a list',
    );
  });

  test('may come later where it is not needed', async () => {
    const late = join(folder, 'late.json');
    const found = await openTrustedDocuments({ path: late, isRequired: false, ...callbacks });
    expect([found.size, found.find('a')]).toEqual([0, null]);
    await writeFile(late, manifest({ a: '{ a: __typename }' }));
    await expect.poll(() => found.find('a')?.body).toBe('{ a: __typename }');
    expect(problems).toEqual([]);
    found.close();
  });
});

describe('the path of a document', () => {
  test('answers GET and POST, with variables where each has them', async () => {
    const body = 'query Echo($typename: Boolean!) { __typename @include(if: $typename) }';
    await write(
      manifest({ 'a&b c+d': body, mutate: 'mutation { createFeature(input: { name: "x" }) { feature { name } } }' }),
    );
    await vi.waitFor(() => expect(reloads).toEqual([2]));
    const data = { __typename: 'Query' };
    for (const id of [sha256Of(body), `sha256:${sha256Of(body)}`, encodeURIComponent('a&b c+d'), 'a&b%20c+d']) {
      expect(await (await get(id, '?variables={"typename":true}')).json()).toEqual({ data });
      expect(await (await get(id, '?variables={"typename":false}')).json()).toEqual({ data: {} });
      expect(await (await post(id, { variables: { typename: true } })).json()).toEqual({ data });
    }
    expect((await get('mutate')).status).toBe(405);
    const mutated = await post('mutate', {});
    expect([mutated.status, mutated.headers.get('access-control-allow-origin')]).toEqual([
      200,
      'https://app.example.com',
    ]);
  });

  test('refuses a second id, and a text beside it', async () => {
    const answers = [
      await get('mutate', '?documentId=other'),
      await get('mutate', '?query={__typename}'),
      await post('mutate', { documentId: 'mutate' }),
      await post('mutate', { query: '{ __typename }' }),
    ];
    for (const answer of answers) {
      expect([answer.status, await answer.json()]).toMatchObject([
        400,
        { errors: [{ extensions: { code: 'BAD_USER_INPUT' } }] },
      ]);
    }
  });

  test.each(['__proto__', 'constructor', '%', '%00', 'x'.repeat(300)])('answers nothing of ours for %s', async (id) => {
    const answer = await get(id);
    const { errors } = (await answer.json()) as { errors: { extensions: { code: string } }[] };
    expect(errors[0]!.extensions.code).toMatch(/^(PERSISTED_QUERY_NOT_FOUND|BAD_USER_INPUT)$/);
  });

  test.each(['', 'a/b', 'a/'])('is no other than with one part, not %j', async (rest) => {
    expect((await get(rest)).status).toBe(404);
  });
});

describe('registered documents', () => {
  test('are bounded in number: the longest unused make room', () => {
    const registered = createRegisteredDocuments({ maxEntries: 3 });
    for (const hash of ['a', 'b', 'c']) registered.set(hash, `text ${hash}`);
    expect(registered.get('a')).toBe('text a');
    registered.set('d', 'text d');
    expect(['a', 'b', 'c', 'd'].map((hash) => registered.get(hash) !== null)).toEqual([true, false, true, true]);
  });

  test('are bounded in bytes, and one of them does not take the room of all', () => {
    const registered = createRegisteredDocuments({ maxBytes: 100_000 });
    registered.set('large', 'x'.repeat(1_000));
    expect(registered.get('large')).toBeNull();
    for (let number = 0; number < 1_000; number++) registered.set(`${number}`, 'x'.repeat(100));
    expect(registered.size).toBe(200);
    expect(registered.get('999')).not.toBeNull();
  });
});
