import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import type { Viewer } from '../../context.ts';
import { newId } from '../../db/id.ts';
import { migrate } from '../../db/migrate.ts';
import { createPool } from '../../db/pool.ts';
import type { VectorIndex } from '../../inference/vector-index.ts';
import { findPgvectorBinaries } from '../../testing/pgvector.ts';
import { createOrganization } from '../../testing/seed-builders.ts';
import { createTestDatabase, type TestDatabase } from '../../testing/test-database.ts';
import { startTestPostgres } from '../../testing/test-postgres.ts';
import { createPassageIndex } from './passage-index.ts';
import { insertDocument } from './queries/document.ts';
import { findVectorExtension, listEmbeddingStates } from './queries/passage.ts';

const dimensions = 128;
const version = 'test/1@000000000000';
let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase(inject('postgres'));
});

afterAll(() => database.drop());

/** A unit vector, the same one for a seed. */
function vectorOf(seed: number): Float32Array {
  let state = seed + 1;
  const vector = Float32Array.from({ length: dimensions }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32 - 0.5;
  });
  const norm = Math.hypot(...vector);
  return vector.map((value) => value / norm);
}

const cosine = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, index) => sum + value * b[index]!, 0);

/** A document with these vectors; answers its id. */
async function insert(
  { organizationId, userId }: Viewer,
  vectors: readonly Float32Array[],
  pool = database.pool,
): Promise<string> {
  const document = { id: newId(), title: 'Title', content: 'content', uploadedById: userId };
  const places = vectors.map(() => ({ start: 0, length: 7 }));
  await insertDocument(pool, organizationId, document, { version, places, vectors });
  return document.id;
}

async function nearest(
  index: VectorIndex,
  { organizationId }: Viewer,
  vector: Float32Array,
  limit = 10,
  pool = database.pool,
) {
  const [state] = await listEmbeddingStates(pool, organizationId);
  const set = { organizationId, ...state! };
  return index.nearest({ set, vector, limit, minScore: -1, signal: new AbortController().signal });
}

const pagesRead = () => database.takeStatements().filter(({ name }) => name === 'listPassagesBetweenRevisions').length;

const indexes: [string, (pool: TestDatabase['pool']) => VectorIndex][] = [
  ['copies in memory', (pool) => createPassageIndex({ database: pool })],
  ['reading at each search', (pool) => createPassageIndex({ database: pool, maxBytes: 1_000 })],
];

describe.each(indexes)('%s', (_name, create) => {
  test('gives what comparing all of them gives: the best passage of each document', async () => {
    const viewer = await createOrganization(database.pool);
    const index = create(database.pool);
    const documents = new Map<string, Float32Array[]>();
    for (let number = 0; number < 300; number++) {
      // More passages than a page holds, and a document across two pages.
      const vectors = Array.from({ length: 1 + (number % 13) }, (_, passage) => vectorOf(100 * number + passage));
      documents.set(await insert(viewer, vectors), vectors);
    }
    for (const seed of [-1, -2, -3]) {
      const query = vectorOf(seed);
      const expected = [...documents]
        .map(([documentId, vectors]) => {
          const scores = vectors.map((vector) => Math.round(cosine(query, vector) * 1e6) / 1e6);
          const score = Math.max(...scores);
          return { documentId, position: scores.indexOf(score), score };
        })
        .sort((a, b) => b.score - a.score || (a.documentId < b.documentId ? -1 : 1));
      expect(await nearest(index, viewer, query, 20)).toEqual(expected.slice(0, 20));
      expect(await nearest(index, viewer, query, 1_000)).toHaveLength(300);
    }
  });

  test('gives nothing of another organization, nor what is not near enough', async () => {
    const [own, other] = [await createOrganization(database.pool), await createOrganization(database.pool)];
    const index = create(database.pool);
    const id = await insert(own, [vectorOf(1)]);
    await insert(other, [vectorOf(2)]);
    expect(await nearest(index, own, vectorOf(2))).toMatchObject([{ documentId: id }]);
    const [state] = await listEmbeddingStates(database.pool, own.organizationId);
    const set = { organizationId: own.organizationId, ...state! };
    const wanted = { set, vector: vectorOf(1), limit: 10, signal: new AbortController().signal };
    expect(await index.nearest({ ...wanted, minScore: 0.999 })).toHaveLength(1);
    expect(await index.nearest({ ...wanted, vector: vectorOf(2), minScore: 0.9 })).toEqual([]);
  });

  test('sees what is added and taken away, also when all tables are emptied', async () => {
    const viewer = await createOrganization(database.pool);
    const index = create(database.pool);
    const ids = [await insert(viewer, [vectorOf(1)])];
    const found = async () => (await nearest(index, viewer, vectorOf(0))).map(({ documentId }) => documentId).sort();
    expect(await found()).toEqual(ids);
    ids.push(await insert(viewer, [vectorOf(2), vectorOf(3)]));
    expect(await found()).toEqual(ids);
    const remove = { name: 'testDelete', text: 'delete from documents where id = $1' };
    await database.pool.run(remove, [ids.shift()!]);
    expect(await found()).toEqual(ids);
    const text = 'select documents, passages from embedding_states where organization_id = $1';
    expect(await database.pool.run({ name: 'testState', text }, [viewer.organizationId])).toEqual([
      { documents: 1, passages: 2 },
    ]);
    await database.pool.run({ name: 'testEmpty', text: 'truncate organizations cascade' }, []);
    const insertAgain = `with organization as (insert into organizations (id, name) values ($1, 'Again'))
      insert into users (organization_id, id, name, email) values ($1, $2, 'Ada', 'ada@test.example')`;
    await database.pool.run({ name: 'testAgain', text: insertAgain }, [viewer.organizationId, viewer.userId]);
    const again = await insert(viewer, [vectorOf(4)]);
    expect(await found()).toEqual([again]);
  });

  test('rejects with the reason of its signal', async () => {
    const viewer = await createOrganization(database.pool);
    await insert(viewer, [vectorOf(1)]);
    const [state] = await listEmbeddingStates(database.pool, viewer.organizationId);
    const set = { organizationId: viewer.organizationId, ...state! };
    const wanted = { set, vector: vectorOf(1), limit: 1, minScore: 0 };
    const signal = AbortSignal.abort(new Error('too late'));
    await expect(create(database.pool).nearest({ ...wanted, signal })).rejects.toThrow('too late');
  });
});

describe('copies in memory', () => {
  test('are read once, then only what is new; all of it again after a deletion', async () => {
    const viewer = await createOrganization(database.pool);
    const index = createPassageIndex({ database: database.pool });
    const ids: string[] = [];
    for (let number = 0; number < 12; number++) {
      ids.push(
        await insert(
          viewer,
          Array.from({ length: 50 }, (_, passage) => vectorOf(50 * number + passage)),
        ),
      );
    }
    database.takeStatements();
    await Promise.all([1, 2, 3, 4].map((seed) => nearest(index, viewer, vectorOf(seed))));
    // 600 passages, two pages of 250 and the rest, whoever asks.
    expect(pagesRead()).toBe(3);
    await nearest(index, viewer, vectorOf(5));
    expect(pagesRead()).toBe(0);
    await insert(viewer, [vectorOf(6)]);
    await nearest(index, viewer, vectorOf(6));
    expect(pagesRead()).toBe(1);
    await database.pool.run({ name: 'testDelete', text: 'delete from documents where id = $1' }, [ids[0]!]);
    expect(await nearest(index, viewer, vectorOf(6), 100)).toHaveLength(12);
    expect(pagesRead()).toBe(3);
  });

  test('make room for each other', async () => {
    const [first, second] = [await createOrganization(database.pool), await createOrganization(database.pool)];
    const vectors = Array.from({ length: 100 }, (_, seed) => vectorOf(seed));
    for (const viewer of [first, second]) await insert(viewer, vectors);
    const index = createPassageIndex({ database: database.pool, maxBytes: 60_000 });
    database.takeStatements();
    const read: number[] = [];
    for (const viewer of [first, first, second, second, first]) {
      expect(await nearest(index, viewer, vectorOf(7))).toHaveLength(1);
      read.push(pagesRead());
    }
    expect(read).toEqual([1, 0, 1, 0, 1]);
  });

  test('keep what writers add at the same time', async () => {
    const viewer = await createOrganization(database.pool);
    const index = createPassageIndex({ database: database.pool });
    const ids = new Set<string>();
    await insert(viewer, [vectorOf(0)]).then((id) => ids.add(id));
    const write = async (from: number) => {
      for (let seed = from; seed < from + 20; seed++) {
        const id = await insert(viewer, [vectorOf(seed)]);
        ids.add(id);
        const found = await nearest(index, viewer, vectorOf(seed), 100);
        // What a write has answered, the next search sees, whoever else writes.
        expect(found[0]!.documentId).toBe(id);
      }
    };
    await Promise.all([100, 200, 300].map(write));
    const found = await nearest(index, viewer, vectorOf(0), 100);
    expect(found.map(({ documentId }) => documentId).sort()).toEqual([...ids].sort());
  });
});

const pgvector = findPgvectorBinaries();

describe.skipIf(pgvector === null)('a database with pgvector', () => {
  test('gives what copies in memory give', async () => {
    const server = await startTestPostgres({}, pgvector!);
    onTestFinished(() => server.remove());
    await migrate(server.url);
    const pool = createPool({ connection: server.url, size: 2 });
    onTestFinished(() => pool.close());
    expect(await findVectorExtension(pool)).toBe(true);
    expect(await findVectorExtension(pool)).toBe(true);
    const [viewer, other] = [await createOrganization(pool), await createOrganization(pool)];
    for (let number = 0; number < 200; number++) {
      const vectors = Array.from({ length: 1 + (number % 7) }, (_, passage) => vectorOf(100 * number + passage));
      await insert(number % 3 === 0 ? other : viewer, vectors, pool);
    }
    const inMemory = createPassageIndex({ database: pool });
    const inDatabase = createPassageIndex({ database: pool, maxBytes: 1_000, hasVectors: true });
    for (const seed of [-1, -2, -3, -4, 5]) {
      const expected = await nearest(inMemory, viewer, vectorOf(seed), 20, pool);
      const found = await nearest(inDatabase, viewer, vectorOf(seed), 20, pool);
      expect(found.map(({ documentId, position }) => ({ documentId, position }))).toEqual(
        expected.map(({ documentId, position }) => ({ documentId, position })),
      );
      for (const [index, { score }] of found.entries()) expect(score).toBeCloseTo(expected[index]!.score, 5);
    }
  }, 120_000);

  test('is not taken for one without', async () => {
    expect(await findVectorExtension(database.pool)).toBe(false);
  });
});
