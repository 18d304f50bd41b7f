import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestApp, type TestApp } from '../testing/test-app.ts';

let open: TestApp;
let closed: TestApp;

beforeAll(async () => {
  open = await createTestApp({ settings: { hasIntrospection: true, hasSuggestions: true } });
  closed = await createTestApp({ settings: { hasIntrospection: false, hasSuggestions: false } });
});

afterAll(async () => {
  await Promise.all([open, closed].map((app) => app.close()));
});

/** Each is answered with a suggestion where those are on. */
const mistakes: [what: string, document: string, variables?: Record<string, unknown>][] = [
  ['a field', '{ featurs { totalCount } }'],
  ['a field of a type', '{ viewer { nam } }'],
  ['a field of another type', '{ node(id: "x") { email } }'],
  ['an argument', '{ features(firs: 1) { totalCount } }'],
  ['a directive argument', '{ viewer @skip(iff: true) { id } }'],
  ['a type', '{ node(id: "x") { ... on Featur { id } } }'],
  ['a type of a variable', 'query($f: FeatureFiltr) { features(filter: $f) { totalCount } }'],
  ['an input field', '{ features(filter: { statu: DONE }) { totalCount } }'],
  ['an enum value', '{ features(filter: { status: DOEN }) { totalCount } }'],
  ['an enum value as a text', '{ features(filter: { status: "DONE" }) { totalCount } }'],
  [
    'an input field of a variable',
    'query($f: FeatureFilter) { features(filter: $f) { totalCount } }',
    { f: { statu: 'DONE' } },
  ],
  [
    'an enum value of a variable',
    'query($f: FeatureFilter) { features(filter: $f) { totalCount } }',
    { f: { status: 'DOEN' } },
  ],
  ['a default value', 'query($f: FeatureFilter = { statu: DONE }) { features(filter: $f) { totalCount } }'],
];

describe('suggestions', () => {
  test.each(mistakes)('of %s are given or not', async (_what, document, variables) => {
    const [withThem, without] = [await open.query(document, variables), await closed.query(document, variables)];
    expect(JSON.stringify(withThem.errors)).toContain('Did you mean');
    expect(without.errors?.length).toBeGreaterThan(0);
    expect(JSON.stringify(without.errors)).not.toContain('Did you mean');
  });
});

describe('introspection', () => {
  test.each([
    '{ __schema { types { name } } }',
    '{ __type(name: "User") { name } }',
    '{ ...A } fragment A on Query { a: __schema { description } }',
  ])('is refused where it is off: %s', async (document) => {
    const answer = await closed.query(document);
    expect(answer.data).toBeUndefined();
    expect(answer.errors?.[0]).toMatchObject({
      message: expect.stringContaining('introspection has been disabled'),
      extensions: { code: 'GRAPHQL_VALIDATION_FAILED' },
    });
    expect((await open.query(document)).errors).toBeUndefined();
  });

  test('__typename is none', async () => {
    expect((await closed.query('{ __typename viewer { __typename } }')).data).toEqual({
      __typename: 'Query',
      viewer: { __typename: 'User' },
    });
  });
});

test('errors are at most 21', async () => {
  const { errors } = await open.query(`{ viewer { ${Array.from({ length: 500 }, (_, i) => `x${i}`).join(' ')} } }`);
  expect(errors?.length).toBe(21);
});
