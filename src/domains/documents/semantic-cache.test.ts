import { Registry } from 'prom-client';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AnswerCache } from '../../cache/answer-cache.ts';
import { createLocalInvalidationLog } from '../../cache/invalidation-log.ts';
import { SemanticCache } from '../../cache/semantic-cache.ts';
import type { Viewer } from '../../context.ts';
import { InferenceError } from '../../inference/engine.ts';
import { createEmbeddingVersions, type EmbeddingVersions } from '../../testing/embedding-versions.ts';
import { createOrganization } from '../../testing/seed-builders.ts';
import { countStatements, createTestApp, type TestApp, viewerHeader } from '../../testing/test-app.ts';
import { embedDocument } from './embed-document.ts';
import type { FoundDocuments } from './queries/document.ts';
import { storePassages } from './queries/passage.ts';

let app: TestApp;
let engine: EmbeddingVersions;
let viewer: Viewer;
let semanticCache: SemanticCache<FoundDocuments>;

beforeAll(async () => {
  engine = await createEmbeddingVersions();
  const cache = new AnswerCache({ openLog: createLocalInvalidationLog, maxBytes: 2 ** 20 });
  semanticCache = new SemanticCache<FoundDocuments>({ log: cache.log, registry: new Registry() });
  app = await createTestApp({ wrapInference: () => engine, cache, semanticCache });
});

afterAll(async () => {
  await app.close();
  await engine.close();
});

beforeEach(async () => {
  engine.listed = new Set(['1']);
  engine.onPredict = null;
  semanticCache.clear();
  viewer = await createOrganization(app.database.pool);
  await upload('Money', 'A refund is paid to the bank account within three days.');
  await upload('Cards', 'A new card is sent by mail when the old card is lost.');
});

const uploadDocument = `mutation ($input: UploadDocumentInput!) { uploadDocument(input: $input) { document { id } } }`;
const searchDocuments = `query ($query: String!, $mode: SearchMode, $first: Int = 10) {
  searchDocuments(query: $query, mode: $mode, first: $first) { score excerpt document { title } }
}`;

async function upload(title: string, content: string, as = viewer): Promise<void> {
  const answer = await app.query(uploadDocument, { input: { title, content } }, as);
  expect(answer.errors).toBeUndefined();
}

async function search(query: string, { mode = 'HYBRID', first = 10, as = viewer } = {}) {
  const { data, errors, extensions } = await app.query(searchDocuments, { query, mode, first }, as);
  expect(errors).toBeUndefined();
  const found: { excerpt: string; score: number; document: { title: string } }[] = data.searchDocuments;
  return { found, titles: found.map(({ document }) => document.title), told: extensions?.semanticCache };
}

const asked = 'How long does a refund to my bank account take?';
const reworded = 'how long does the refund to my bank account take';

describe.each(['HYBRID', 'SEMANTIC'])('%s', (mode) => {
  test('answers a question as the same one in other words, says so, and reads the rows alone', async () => {
    const first = await search(asked, { mode });
    expect(first.told).toBeUndefined();
    let second: typeof first | undefined;
    const statements = await countStatements(app, async () => {
      second = await search(reworded, { mode });
    });
    expect(statements).toEqual(['describeFoundDocuments']);
    expect(second!.found).toEqual(first.found);
    expect(second!.told).toEqual([{ path: ['searchDocuments'], similarity: expect.any(Number), ageSeconds: 0 }]);
    const [{ similarity }] = second!.told as [{ similarity: number }];
    expect(similarity).toBeGreaterThanOrEqual(0.879);
    expect(similarity).toBeLessThan(1);
    expect(JSON.stringify(second)).not.toContain(asked);
  });

  test('searches anew what is another question, or has another filter', async () => {
    await search(asked, { mode });
    for (const query of [
      'How long does a refund to my card take?',
      `${asked} 3 days`,
      asked.replace('does', "doesn't"),
    ]) {
      expect((await search(query, { mode })).told).toBeUndefined();
    }
    expect((await search(asked, { mode, first: 9 })).told).toBeUndefined();
    expect((await search(asked, { mode: mode === 'HYBRID' ? 'SEMANTIC' : 'HYBRID' })).told).toBeUndefined();
    expect((await search(asked, { mode })).told).toBeDefined();
  });

  test('finds a document that was uploaded after the question', async () => {
    await search(asked, { mode });
    await upload('Postscript', asked);
    const { titles, told } = await search(reworded, { mode });
    expect(told).toBeUndefined();
    expect(titles[0]).toBe('Postscript');
  });

  test('finds by meaning what the background embeds after the question', async () => {
    engine.onPredict = () => {
      throw new InferenceError('overloaded', 'Too many predictions are waiting; try again later.');
    };
    await upload('Later', 'Reimbursing money: how many days a refund to a bank takes.');
    engine.onPredict = null;
    await search(asked, { mode });
    expect((await search(asked, { mode: 'SEMANTIC' })).titles).not.toContain('Later');
    await embedLater();
    expect((await search(reworded, { mode })).told).toBeUndefined();
    expect((await search(reworded, { mode: 'SEMANTIC' })).titles).toContain('Later');
  });

  test('gives no document that is gone', async () => {
    await search(asked, { mode });
    const text = `with gone as (delete from documents where title = 'Money' and organization_id = $1) select 1`;
    await app.database.pool.run({ name: 'testDelete', text }, [viewer.organizationId]);
    const { titles, told } = await search(reworded, { mode });
    // No statement of the server deletes documents, so nothing was told of this one.
    expect(told).toBeDefined();
    expect(titles).not.toContain('Money');
  });
});

/** As the pass in the background does it. */
async function embedLater(): Promise<void> {
  const text = `select id, content from documents where title = 'Later' and organization_id = $1`;
  const [row] = await app.database.pool.run<{ id: string; content: string }>({ name: 'testLater', text }, [
    viewer.organizationId,
  ]);
  const { organizationId } = viewer;
  const document = { organizationId, id: row!.id, title: 'Later', content: row!.content, hasPassages: false };
  const context = { inference: engine, predictions: app.predictions, signal: new AbortController().signal };
  const [version] = engine.versions();
  const embedded = await embedDocument(context, organizationId, document, version!, { lane: 'bulk' });
  await app.database.pool.transaction((transaction) =>
    storePassages(transaction, document, embedded.version, embedded),
  );
}

test('an organization is never given the documents of another', async () => {
  const other = await createOrganization(app.database.pool);
  await search(asked);
  const { found, told } = await search(asked, { as: other });
  expect(found).toEqual([]);
  expect(told).toBeUndefined();
});

test('KEYWORD is always searched', async () => {
  await search('refund', { mode: 'KEYWORD' });
  expect((await search('refund', { mode: 'KEYWORD' })).told).toBeUndefined();
  expect(semanticCache.count).toBe(0);
});

test('each field is told of by its own path, and excerpts are of the words that were asked', async () => {
  await search(asked);
  const document = `query ($same: String!) {
    a: searchDocuments(query: $same) { excerpt }
    b: searchDocuments(query: "who gets a new card") { excerpt }
    c: searchDocuments(query: $same) { excerpt }
  }`;
  const { data, extensions } = await app.query(document, { same: 'how long does a refund to my bank account' }, viewer);
  expect(extensions).toMatchObject({
    semanticCache: expect.arrayContaining(
      [{ path: ['a'] }, { path: ['c'] }].map((told) => expect.objectContaining(told)),
    ),
  });
  expect(extensions!.semanticCache).toHaveLength(2);
  expect(data.a[0].excerpt).toContain('**refund**');
});

describe('a request that wants nothing kept', () => {
  const headers = (cacheControl: string) => ({
    'content-type': 'application/json',
    [viewerHeader]: JSON.stringify(viewer),
    'cache-control': cacheControl,
  });
  const post = (cacheControl: string) =>
    app.fetch('/graphql', {
      method: 'POST',
      headers: headers(cacheControl),
      body: JSON.stringify({ query: searchDocuments, variables: { query: reworded } }),
    });
  const get = (cacheControl: string) => {
    const query = new URLSearchParams({ query: searchDocuments, variables: JSON.stringify({ query: reworded }) });
    return app.fetch(`/graphql?${query}`, { headers: headers(cacheControl) });
  };

  test.each([
    ['POST', post],
    ['GET', get],
  ])('is searched by %s', async (_method, send) => {
    await search(asked);
    const toldBy = async (cacheControl: string) => {
      const { extensions } = (await (await send(cacheControl)).json()) as { extensions?: object };
      return extensions !== undefined && 'semanticCache' in extensions;
    };
    for (const wantsNew of ['no-cache', 'No-Store', 'max-age=0, no-cache']) expect(await toldBy(wantsNew)).toBe(false);
    for (const other of ['max-age=60', 'x-no-cache', 'only-if-cached']) expect(await toldBy(other)).toBe(true);
  });

  test('is not kept either', async () => {
    await post('no-cache');
    expect(semanticCache.count).toBe(0);
  });
});

describe('models', () => {
  test('another version that is loaded is another measure', async () => {
    await search(asked);
    expect((await search(reworded)).told).toBeDefined();
    engine.listed = new Set(['1', '2']);
    expect((await search(reworded)).told).toBeUndefined();
    engine.listed = new Set(['2']);
    expect((await search(reworded)).told).toBeUndefined();
    engine.listed = new Set(['1']);
    expect((await search(reworded)).told).toBeDefined();
  });

  test('while another one takes over, what the one before it has found is not kept by vectors of the new one', async () => {
    engine.listed = new Set(['1', '2']);
    expect((await search(asked)).titles[0]).toBe('Money');
    expect((await search(reworded)).told).toBeUndefined();
    expect(semanticCache.count).toBe(0);
  });

  test.each([
    ['that says nothing of it', {}],
    ['whose measure is none', { sameQuestionSimilarity: -1 }],
  ])('a model %s takes no two questions for the same', async (_case, options) => {
    const { versions } = engine;
    engine.versions = () => versions().map((version) => ({ ...version, manifest: { ...version.manifest, options } }));
    try {
      await search(asked);
      expect((await search(asked)).told).toBeUndefined();
      expect(semanticCache.count).toBe(0);
    } finally {
      engine.versions = versions;
    }
  });

  test('answers by the words alone are not kept', async () => {
    engine.onPredict = () => {
      throw new InferenceError('overloaded', 'Too many predictions are waiting; try again later.');
    };
    await search(asked);
    expect(semanticCache.count).toBe(0);
  });
});
