import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Viewer } from '../../context.ts';
import { InferenceError } from '../../inference/engine.ts';
import { createEmbeddingVersions, type EmbeddingVersions } from '../../testing/embedding-versions.ts';
import { createOrganization } from '../../testing/seed-builders.ts';
import { countStatements, createTestApp, type TestApp } from '../../testing/test-app.ts';

let app: TestApp;
let engine: EmbeddingVersions;
let viewer: Viewer;

beforeAll(async () => {
  engine = await createEmbeddingVersions();
  app = await createTestApp({ wrapInference: () => engine });
});

afterAll(async () => {
  await app.close();
  await engine.close();
});

beforeEach(async () => {
  engine.listed = new Set(['1']);
  engine.onPredict = null;
  viewer = await createOrganization(app.database.pool);
});

const uploadDocument = `mutation ($input: UploadDocumentInput!) { uploadDocument(input: $input) { document { id } } }`;
const searchDocuments = `query ($query: String!, $mode: SearchMode, $first: Int = 10) {
  searchDocuments(query: $query, mode: $mode, first: $first) { score excerpt document { id title } }
}`;

async function upload(title: string, content: string, as = viewer): Promise<string> {
  const answer = await app.query(uploadDocument, { input: { title, content } }, as);
  expect(answer.errors).toBeUndefined();
  return answer.data.uploadDocument.document.id;
}

interface Match {
  score: number;
  excerpt: string;
  document: { id: string; title: string };
}

async function search(query: string, mode: string, first = 10, as = viewer): Promise<Match[]> {
  const answer = await app.query(searchDocuments, { query, mode, first }, as);
  expect(answer.errors).toBeUndefined();
  return answer.data.searchDocuments;
}

const titlesOf = (matches: Match[]) => matches.map(({ document }) => document.title);
const filler =
  'The weather of the week was mild, with some clouds over the hills and a light wind from the west. '.repeat(12);
const refunds =
  'A refund is paid when you were charged too much. The transfer of a refund to your bank account takes three days. ' +
  'Without a bank account a refund is set off against the next bill. Ask support about a refund that has not come.';
const passkeys = 'Sign in with a passkey. When your phone is lost, remove the device from the list of your account.';

function uploadThree(as = viewer): Promise<string[]> {
  return Promise.all([
    upload('Money', `${filler}\n\n${refunds}`, as),
    upload('Security', passkeys, as),
    upload('Weather', filler, as),
  ]);
}

describe('a document that was uploaded', () => {
  test.each(['KEYWORD', 'SEMANTIC', 'HYBRID'])('is found at once by %s', async (mode) => {
    await uploadThree();
    expect(titlesOf(await search('refund to my bank account', mode))[0]).toBe('Money');
    await upload('Postscript', 'How a refund to a bank account in another country is paid.');
    expect(titlesOf(await search('refund in another country', mode))[0]).toBe('Postscript');
  });

  test('is found by meaning where words are other forms or missing, with the passage that is like the query', async () => {
    await uploadThree();
    const query = 'what if I loose my phones and cannot signin?';
    expect(await search(query, 'KEYWORD')).toEqual([]);
    const [match] = await search(query, 'SEMANTIC');
    expect(match).toMatchObject({ document: { title: 'Security' }, excerpt: expect.stringContaining('**phone**') });
    const [money] = await search('refunding a charge on bank accounts', 'SEMANTIC');
    expect(money!.document.title).toBe('Money');
    expect(money!.excerpt).toContain('**refund**');
    expect(money!.excerpt.length).toBeLessThan(300);
  });

  test('gives passages of texts with characters beyond the basic plane', async () => {
    await upload('Emoji', `${'😀 '.repeat(400)}\n\n${refunds}`);
    const [match] = await search('refund transfer to the bank account', 'SEMANTIC');
    expect(match!.excerpt).toMatch(/^\*\*refund\*\* is paid when you were charged/);
  });

  test('is kept without vectors when the model fails, and found by its words', async () => {
    engine.onPredict = () => {
      throw new InferenceError('overloaded', 'Too many predictions are waiting; try again later.');
    };
    await upload('Kept', refunds);
    engine.onPredict = null;
    expect(titlesOf(await search('refund', 'KEYWORD'))).toEqual(['Kept']);
    expect(titlesOf(await search('refund', 'HYBRID'))).toEqual(['Kept']);
    expect(await search('refund', 'SEMANTIC')).toEqual([]);
  });

  test('is embedded in the bulk lane, queries in the interactive one; both are recorded', async () => {
    engine.requests.length = 0;
    await upload('Long', filler.repeat(20));
    await search('weather', 'SEMANTIC');
    const lanes = engine.requests.map(({ lane }) => lane);
    expect(new Set(lanes.slice(0, -1))).toEqual(new Set(['bulk']));
    expect(lanes.at(-1)).toBe('interactive');
    await app.predictions.flush();
    const text = `select model, batch_size as rows from predictions where organization_id = $1 order by id`;
    const rows = await app.database.pool.run({ name: 'testPredictions', text }, [viewer.organizationId]);
    expect(rows).toEqual([
      { model: 'embedding', rows: expect.any(Number) },
      { model: 'embedding', rows: 1 },
    ]);
  });
});

describe('a search', () => {
  test('runs the same statements however much is found', async () => {
    await uploadThree();
    const statementsOf = async (mode: string, first: number) => {
      return (await countStatements(app, () => search('refund account phone weather', mode, first))).sort();
    };
    await search('refund', 'SEMANTIC');
    const semantic = ['describeFoundDocuments', 'listEmbeddingStates'];
    for (const first of [1, 100]) {
      expect(await statementsOf('KEYWORD', first)).toEqual(['searchDocumentsByKeyword']);
      expect(await statementsOf('SEMANTIC', first)).toEqual(semantic);
      expect(await statementsOf('HYBRID', first)).toEqual([...semantic, 'rankDocumentsByKeyword']);
    }
    await upload('One more', refunds);
    expect(await statementsOf('SEMANTIC', 10)).toEqual([...semantic, 'listPassagesBetweenRevisions']);
    expect(await statementsOf('SEMANTIC', 10)).toEqual(semantic);
  });

  test('gives scores of 0 to 1 in descending order, equal ones by id, and no more than asked for', async () => {
    const ids = await Promise.all(Array.from({ length: 5 }, () => upload('Same', refunds)));
    const matches = await search('refund', 'SEMANTIC');
    const byUuid = (a: string, b: string) =>
      Buffer.from(a, 'base64url').toString() < Buffer.from(b, 'base64url').toString() ? -1 : 1;
    expect(matches.map(({ document }) => document.id)).toEqual(ids.sort(byUuid));
    expect(new Set(matches.map(({ score }) => score)).size).toBe(1);
    for (const mode of ['KEYWORD', 'SEMANTIC', 'HYBRID']) {
      await upload('Other', passkeys);
      const found = await search('refund account', mode, 3);
      expect(found).toHaveLength(3);
      const scores = found.map(({ score }) => score);
      expect(scores).toEqual([...scores].sort((a, b) => b - a));
      expect(scores.every((score) => score >= 0 && score <= 1)).toBe(true);
      expect(await search('refund', mode, 0)).toEqual([]);
    }
  });

  test('finds nothing of another organization, though its passages are the same', async () => {
    const other = await createOrganization(app.database.pool);
    await uploadThree(other);
    for (const mode of ['KEYWORD', 'SEMANTIC', 'HYBRID']) expect(await search('refund', mode)).toEqual([]);
    const own = await upload('Own', refunds);
    for (const mode of ['KEYWORD', 'SEMANTIC', 'HYBRID']) {
      expect((await search('refund', mode)).map(({ document }) => document.id)).toEqual([own]);
      expect(titlesOf(await search('refund', mode, 10, other))).toContain('Money');
    }
  });

  test('finds nothing like a text of something else', async () => {
    await uploadThree();
    expect(await search('zzqx vvrt', 'SEMANTIC')).toEqual([]);
    expect(await search('!?', 'HYBRID')).toEqual([]);
  });

  test('HYBRID puts first what both find, and shows the words of the whole where it holds them', async () => {
    await uploadThree();
    await upload('Words only', `${filler.repeat(3)} refund bank account. ${filler.repeat(3)}`);
    const worded = titlesOf(await search('refund bank account', 'KEYWORD'));
    const near = titlesOf(await search('refund bank account', 'SEMANTIC'));
    expect(worded.sort()).toEqual(['Money', 'Words only']);
    expect(near[0]).toBe('Money');
    const [first] = await search('refund bank account', 'HYBRID');
    const [keyword] = (await search('refund bank account', 'KEYWORD')).filter(
      ({ document }) => document.title === 'Money',
    );
    expect(first!.document.title).toBe('Money');
    expect(first!.excerpt).toBe(keyword!.excerpt);
  });
});

describe('without a model', () => {
  const withoutModel: [string, () => void][] = [
    ['none is loaded', () => engine.listed.clear()],
    [
      'it has no room',
      () => {
        engine.onPredict = () => {
          throw new InferenceError('overloaded', 'Too many predictions are waiting; try again later.');
        };
      },
    ],
  ];

  test.each(withoutModel)('HYBRID answers by the words and SEMANTIC is OVERLOADED when %s', async (_case, take) => {
    await uploadThree();
    take();
    expect(titlesOf(await search('refund', 'HYBRID'))).toEqual(['Money']);
    const answer = await app.query(searchDocuments, { query: 'refund', mode: 'SEMANTIC' }, viewer);
    expect(answer.errors).toMatchObject([
      { extensions: { code: 'OVERLOADED', retryAfterSeconds: expect.any(Number) } },
    ]);
  });

  test('SEMANTIC is OVERLOADED for an organization without documents, too', async () => {
    engine.listed.clear();
    const answer = await app.query(searchDocuments, { query: 'refund', mode: 'SEMANTIC' }, viewer);
    expect(answer.errors).toMatchObject([{ extensions: { code: 'OVERLOADED' } }]);
  });
});

test.each([
  ['an empty query', { query: ' ' }, 'query'],
  ['a query of 501 characters', { query: 'a'.repeat(501) }, 'query'],
  ['more than 100', { query: 'a', first: 101 }, 'first'],
  ['less than 0', { query: 'a', first: -1 }, 'first'],
])('refuses %s in every mode', async (_case, variables, path) => {
  for (const mode of ['KEYWORD', 'SEMANTIC', 'HYBRID']) {
    const answer = await app.query(searchDocuments, { mode, ...variables }, viewer);
    expect(answer.errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT', issues: [{ path }] } }]);
  }
});
