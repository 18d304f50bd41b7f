import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { Viewer } from '../../context.ts';
import { newId } from '../../db/id.ts';
import { InferenceError } from '../../inference/engine.ts';
import { createEmbeddingVersions, type EmbeddingVersions } from '../../testing/embedding-versions.ts';
import { createOrganization } from '../../testing/seed-builders.ts';
import { createTestApp, type TestApp } from '../../testing/test-app.ts';
import { embeddingKey } from '../predictions/embed-texts.ts';
import { createDocumentEmbedder, type DocumentEmbedder } from './document-embedder.ts';
import { insertDocument } from './queries/document.ts';

let app: TestApp;
let engine: EmbeddingVersions;
let viewer: Viewer;
const errors: unknown[] = [];

beforeAll(async () => {
  engine = await createEmbeddingVersions();
  app = await createTestApp({ wrapInference: () => engine });
});

afterAll(async () => {
  await app.close();
  await engine.close();
});

beforeEach(async () => {
  await app.predictions.flush();
  await run('truncate organizations cascade', []);
  engine.listed = new Set(['1']);
  engine.onPredict = null;
  engine.requests.length = 0;
  errors.length = 0;
  viewer = await createOrganization(app.database.pool);
});

function run<Row>(text: string, values: readonly string[] = [viewer.organizationId]): Promise<Row[]> {
  return app.database.pool.run<Row>({ name: 'testDocuments', text }, values);
}

function startEmbedder(): DocumentEmbedder {
  const { predictions } = app;
  const onError = (error: unknown) => errors.push(error);
  const database = app.database.pool;
  const embedder = createDocumentEmbedder({ database, inference: engine, predictions, onError, pollMs: 20 });
  onTestFinished(() => embedder.close());
  embedder.start();
  return embedder;
}

/** Documents that no model has seen. */
async function insertPlain(count: number, as = viewer): Promise<void> {
  for (let index = 0; index < count; index++) {
    const content = `Text number ${index} is about the refund of an invoice. `.repeat(20);
    const document = { id: newId(), title: `Document ${index}`, content, uploadedById: as.userId };
    await insertDocument(app.database.pool, as.organizationId, document);
  }
}

const keyOf = (version: string) => {
  const found = engine.versions().find((loaded) => loaded.version === version);
  return embeddingKey(found!);
};

async function countEmbeddedBy(): Promise<Record<string, number>> {
  const text = `select embedded_by as by, count(*)::integer as count from documents group by 1`;
  const rows = await run<{ by: string | null; count: number }>(text, []);
  return Object.fromEntries(rows.map(({ by, count }) => [by ?? 'none', count]));
}

/** What is counted, beside what is there. */
async function compareCounts() {
  const counted = await run(
    `select version, documents, passages from embedding_states where passages > 0 order by organization_id, version`,
    [],
  );
  const there = await run(
    `select version, count(distinct document_id)::integer as documents, count(*)::integer as passages
     from document_passages group by organization_id, version order by organization_id, version`,
    [],
  );
  return { counted, there };
}

async function searchTitles(as = viewer): Promise<string[]> {
  const document = `{ searchDocuments(query: "refund of an invoice", mode: SEMANTIC, first: 100) { document { title } } }`;
  const answer = await app.query(document, {}, as);
  expect(answer.errors).toBeUndefined();
  return answer.data.searchDocuments.map((match: { document: { title: string } }) => match.document.title);
}

describe('the document embedder', () => {
  test('embeds what is there, of all organizations, in the bulk lane', async () => {
    const other = await createOrganization(app.database.pool);
    await insertPlain(3);
    await insertPlain(2, other);
    expect(await searchTitles()).toEqual([]);
    startEmbedder();
    await expect.poll(countEmbeddedBy).toEqual({ [keyOf('1')]: 5 });
    expect(engine.requests.every(({ lane }) => lane === 'bulk')).toBe(true);
    expect(await searchTitles()).toHaveLength(3);
    expect(await searchTitles(other)).toHaveLength(2);
    const { counted, there } = await compareCounts();
    expect(counted).toEqual(there);
    expect(errors).toEqual([]);
  });

  test('finishes an upload that could not be embedded, and one that came while it ran', async () => {
    const upload = `mutation ($title: String!) {
      uploadDocument(input: { title: $title, content: "All about the refund of an invoice." }) { document { id } }
    }`;
    engine.onPredict = () => {
      throw new InferenceError('overloaded', 'Too many predictions are waiting; try again later.');
    };
    startEmbedder();
    expect((await app.query(upload, { title: 'First' }, viewer)).errors).toBeUndefined();
    expect(await countEmbeddedBy()).toEqual({ none: 1 });
    engine.onPredict = null;
    await expect.poll(() => searchTitles()).toEqual(['First']);
    expect((await app.query(upload, { title: 'Second' }, viewer)).errors).toBeUndefined();
    expect((await searchTitles()).sort()).toEqual(['First', 'Second']);
    expect(errors).toEqual([]);
  });

  test('embeds each document once when two of them share the work', async () => {
    await insertPlain(120);
    const [first, second] = [startEmbedder(), startEmbedder()];
    await expect.poll(countEmbeddedBy).toEqual({ [keyOf('1')]: 120 });
    await Promise.all([first.close(), second.close()]);
    const { counted, there } = await compareCounts();
    expect(counted).toEqual(there);
    expect(there).toMatchObject([{ documents: 120 }]);
    const texts = engine.requests.reduce((sum, { rows }) => sum + rows.length, 0);
    expect(texts).toBe((there[0] as { passages: number }).passages);
    expect(errors).toEqual([]);
  });

  /** The versions that queries were embedded by; what is embedded in the background is in the bulk lane. */
  const searchedBy = () => engine.requests.filter(({ lane }) => lane !== 'bulk').map(({ version }) => version);

  test('embeds anew by a version that is loaded later; until it has all, the one before answers', async () => {
    await insertPlain(60);
    startEmbedder();
    await expect.poll(countEmbeddedBy).toEqual({ [keyOf('1')]: 60 });
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    let done = 0;
    engine.predict = withGate(engine.predict, async ({ version, lane }) => {
      if (version === '2' && lane === 'bulk' && ++done > 55) await gate;
    });
    onTestFinished(() => open());
    engine.listed.add('2');
    await expect.poll(async () => (await countEmbeddedBy())[keyOf('2')] ?? 0).toBeGreaterThan(0);
    expect(await countEmbeddedBy()).toEqual({ [keyOf('1')]: 10, [keyOf('2')]: 50 });
    engine.requests.length = 0;
    expect(await searchTitles()).toHaveLength(60);
    expect(searchedBy()).toEqual(['1']);
    open();
    await expect.poll(countEmbeddedBy).toEqual({ [keyOf('2')]: 60 });
    await expect
      .poll(async () => (await compareCounts()).there)
      .toMatchObject([{ version: keyOf('2'), documents: 60 }]);
    const { counted, there } = await compareCounts();
    expect(counted).toEqual(there);
    engine.requests.length = 0;
    expect(await searchTitles()).toHaveLength(60);
    expect(searchedBy()).toEqual(['2']);
    expect(errors).toEqual([]);
  });

  test('goes back to a version whose vectors are still there without a run of the model', async () => {
    await insertPlain(2);
    const first = startEmbedder();
    await expect.poll(countEmbeddedBy).toEqual({ [keyOf('1')]: 2 });
    await first.close();
    await run(`update documents set embedded_by = 'embedding/0@000000000000'`, []);
    engine.requests.length = 0;
    startEmbedder();
    await expect.poll(countEmbeddedBy).toEqual({ [keyOf('1')]: 2 });
    expect(engine.requests).toEqual([]);
    const { counted, there } = await compareCounts();
    expect(counted).toEqual(there);
  });

  test('leaves aside a document that the model fails on, and embeds the others', async () => {
    await insertPlain(5);
    await run(`update documents set title = 'Poison' where title = 'Document 0'`, []);
    let failed = 0;
    engine.onPredict = () => {
      if (failed++ === 0) throw new InferenceError('failed', 'The model failed on this input.');
    };
    startEmbedder();
    await expect.poll(countEmbeddedBy).toEqual({ none: 1, [keyOf('1')]: 4 });
    expect(errors).toHaveLength(1);
    expect(await searchTitles()).toHaveLength(4);
  });

  test('keeps the vectors of the version before while one document has no new ones', async () => {
    await insertPlain(3);
    startEmbedder();
    await expect.poll(countEmbeddedBy).toEqual({ [keyOf('1')]: 3 });
    let failed = 0;
    engine.onPredict = ({ version }) => {
      if (version === '2' && failed++ === 0) throw new InferenceError('failed', 'The model failed on this input.');
    };
    engine.listed.add('2');
    app.database.takeStatements();
    await expect
      .poll(() => app.database.takeStatements().map(({ name }) => name))
      .toContain('deletePassagesOfOtherVersions');
    const { counted, there } = await compareCounts();
    expect(counted).toEqual(there);
    expect(there).toMatchObject([
      { version: keyOf('1'), documents: 3 },
      { version: keyOf('2'), documents: 2 },
    ]);
    expect(await searchTitles()).toHaveLength(3);
  });

  test('rests without a model, and ends at once', async () => {
    await insertPlain(1);
    engine.listed.clear();
    const embedder = startEmbedder();
    await embedder.close();
    await embedder.close();
    expect(await countEmbeddedBy()).toEqual({ none: 1 });
  });

  test('closes while a batch runs: nothing is half stored, and the next one goes on', async () => {
    await insertPlain(60);
    const begun = Promise.withResolvers<void>();
    let calls = 0;
    engine.onPredict = () => {
      if (++calls === 10) begun.resolve();
    };
    const embedder = startEmbedder();
    await begun.promise;
    await embedder.close();
    const { counted, there } = await compareCounts();
    expect(counted).toEqual(there);
    expect((await countEmbeddedBy()).none).toBeGreaterThan(0);
    startEmbedder();
    await expect.poll(countEmbeddedBy).toEqual({ [keyOf('1')]: 60 });
    expect(errors).toEqual([]);
  });
});

function withGate(
  predict: EmbeddingVersions['predict'],
  pass: (request: Parameters<EmbeddingVersions['predict']>[0]) => Promise<void>,
): EmbeddingVersions['predict'] {
  onTestFinished(() => {
    engine.predict = predict;
  });
  return async (request) => {
    await pass(request);
    return predict(request);
  };
}
