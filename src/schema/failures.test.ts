import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Database } from '../db/database.ts';
import { createTestApp, type TestApp } from '../testing/test-app.ts';

/** What a client and the log learn when something breaks that no input should break. */
const secret = 'connection to 10.0.0.7 refused: relation "features" column secret';

let app: TestApp;
let isBroken = false;
/** Runs once, before the next statement of this name. */
let before: { statement: string; run: () => Promise<unknown> } | null = null;
let logged: Record<string, unknown>[] = [];

beforeAll(async () => {
  const log = pino({ level: 'info' }, { write: (line: string) => logged.push(JSON.parse(line)) });
  app = await createTestApp({
    log,
    wrapDependencies: (given) => ({
      ...given,
      database: { ...breakable(given.database), within: (bounds) => breakable(given.database.within(bounds)) },
    }),
  });
});

beforeEach(() => {
  isBroken = false;
  before = null;
  logged = [];
});

afterAll(() => app.close());

function breakable(database: Database): Database {
  return {
    run: async (statement, values) => {
      if (isBroken) throw new Error(secret);
      const now = statement.name === before?.statement ? before : null;
      if (now) before = null;
      await now?.run();
      return await database.run(statement, values);
    },
    transaction: (work) => database.transaction(work),
  };
}

describe('a failing database', () => {
  test.each([
    ['a query', '{ features { totalCount } }'],
    ['a nullable field', '{ viewer { name } }'],
    ['a search', '{ searchDocuments(query: "x") { score } }'],
    ['a mutation', 'mutation { createFeature(input: { name: "x" }) { feature { id } } }'],
  ])('is INTERNAL with the request’s id for %s, and logged once', async (_label, document) => {
    isBroken = true;
    const answer = await app.query(document);
    expect(answer.errors).toHaveLength(1);
    const [error] = answer.errors!;
    expect(error!.extensions).toEqual({ code: 'INTERNAL', requestId: answer.headers.get('x-request-id') });
    expect(JSON.stringify(error)).not.toMatch(/10\.0\.0\.7|relation|secret|Error:|\.ts/);
    expect(logged).toHaveLength(1);
    expect(logged[0]).toMatchObject({ level: 50, requestId: error!.extensions.requestId, err: { message: secret } });
  });

  test('takes the request id that came with the request', async () => {
    isBroken = true;
    const response = await app.fetch('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-request-id': 'proxy-4711-abc' },
      body: JSON.stringify({ query: '{ features { totalCount } }' }),
    });
    expect(response.headers.get('x-request-id')).toBe('proxy-4711-abc');
    const { errors } = (await response.json()) as { errors: { extensions: unknown }[] };
    expect(errors[0]!.extensions).toEqual({ code: 'INTERNAL', requestId: 'proxy-4711-abc' });
  });

  test('leaves what needs no database', async () => {
    isBroken = true;
    const answer = await app.query('{ models { name } viewer { name } }');
    expect(answer.data).toEqual({
      models: [{ name: 'embedding' }, { name: 'energy-forecast' }, { name: 'sentiment' }],
      viewer: null,
    });
    expect(answer.errors?.map(({ path }) => path)).toEqual([['viewer']]);
  });
});

describe('a row that is deleted between two statements of a request', () => {
  test.each([
    ['a query', '{ testCase: node(id: "$testCase") { ... on TestCase { name feature { name } } } }'],
    [
      'a mutation',
      'mutation { addTestCases(input: { featureId: "$feature", testCases: [{ name: "b" }] }) { testCases { name feature { name } } } }',
    ],
  ])('is NOT_FOUND to %s', async (_label, document) => {
    const created = await app.query('mutation { createFeature(input: { name: "short-lived" }) { feature { id } } }');
    const featureId = (created.data as { createFeature: { feature: { id: string } } }).createFeature.feature.id;
    const added = await app.query(
      `mutation { addTestCases(input: { featureId: "${featureId}", testCases: [{ name: "a" }] }) { testCases { id } } }`,
    );
    const [{ id: testCaseId }] = (added.data as { addTestCases: { testCases: [{ id: string }] } }).addTestCases
      .testCases;
    before = {
      statement: 'listFeaturesByIds',
      run: () => app.query(`mutation { deleteFeature(input: { id: "${featureId}" }) { deletedId } }`),
    };
    const answer = await app.query(document.replace('$testCase', testCaseId).replace('$feature', featureId));
    expect(before).toBeNull();
    expect(answer.errors?.map(({ extensions, path }) => [extensions.code, path?.at(-1)])).toEqual([
      ['NOT_FOUND', 'feature'],
    ]);
    expect(logged).toEqual([]);
  });
});

describe('a document that is wrong', () => {
  test.each([
    ['is no GraphQL', '{ features(', 'GRAPHQL_PARSE_FAILED'],
    ['is empty', '', 'GRAPHQL_PARSE_FAILED'],
    ['has a lone surrogate escape', '{ sentiment(text: "\\ud800") { label } }', 'GRAPHQL_PARSE_FAILED'],
    ['asks for an unknown field', '{ feature_ }', 'GRAPHQL_VALIDATION_FAILED'],
    ['leaves out an argument', '{ feature { id } }', 'GRAPHQL_VALIDATION_FAILED'],
    ['selects nothing of an object', '{ viewer }', 'GRAPHQL_VALIDATION_FAILED'],
    ['uses an unknown type', 'query ($x: Nope) { models { name } }', 'GRAPHQL_VALIDATION_FAILED'],
    ['gives a text for a number', '{ features(first: "1") { totalCount } }', 'GRAPHQL_VALIDATION_FAILED'],
    ['gives a bad time', '{ forecast(siteId: "x", from: "now") { issuedAt } }', 'GRAPHQL_VALIDATION_FAILED'],
    ['asks for __proto__', '{ __proto__ }', 'GRAPHQL_VALIDATION_FAILED'],
  ])('that %s', async (_label, document, code) => {
    const answer = await app.query(document);
    expect([...new Set(answer.errors?.map(({ extensions }) => extensions.code))]).toEqual([code]);
    expect(answer.data ?? null).toBeNull();
    expect(logged).toEqual([]);
  });

  test('names an operation that is not there', async () => {
    const response = await app.fetch('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: 'query A { models { name } }', operationName: '__proto__' }),
    });
    const { errors } = (await response.json()) as { errors: { extensions: { code: string } }[] };
    expect(['BAD_USER_INPUT', 'GRAPHQL_VALIDATION_FAILED']).toContain(errors[0]!.extensions.code);
  });
});
