import { type Attack, mebibyte, post, raw } from './attack.ts';

/** Lists whose length comes by a variable, and texts as large as a body may be. */
export const largeValues: readonly Attack[] = [
  ...[2_147_483_647, 2_147_483_648, -1, 101, 1e308, 0.5].map((first) =>
    post(`first: ${first}`, 'refused', 'query ($n: Int!) { features(first: $n) { nodes { id } } }', { n: first }),
  ),
  post(
    'last: 2147483647 below a parent',
    'refused',
    'query ($n: Int) { features(first: 1) { nodes { testCases(last: $n) { nodes { id } } } } }',
    { n: 2_147_483_647 },
  ),
  post('10,000 ids', 'refused', 'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', {
    ids: Array<string>(10_000).fill('VXNlcjox'),
  }),
  post(
    '10,000 features',
    'refused',
    'mutation ($features: [CreateFeatureInput!]!) { createFeatures(input: { features: $features }) { features { id } } }',
    { features: Array(10_000).fill({ name: 'x' }) },
  ),
  post(
    'ten thousand years',
    'BAD_USER_INPUT',
    '{ analytics(range: { from: "0001-01-01T00:00:00Z", to: "9999-12-31T00:00:00Z" }) { featureThroughput(interval: HOUR) { at } } }',
  ),
  post('a horizon without end', 'refused', '{ forecast(siteId: "U2l0ZTox", horizon: 2147483647) { issuedAt } }'),
  post('a field with a name of 1 MB', 'refused', `{ ${'a'.repeat(mebibyte)} }`),
  post('an alias of 1 MB', 'refused', `{ ${'a'.repeat(mebibyte)}: nothing }`),
  post('a variable with a name of 1 MB', 'refused', `query ($${'v'.repeat(mebibyte)}: Int) { __typename }`),
  post('a fragment with a name of 1 MB', 'refused', `{ ...${'F'.repeat(mebibyte)} }`),
  post(
    'a type with a name of 1 MB',
    'refused',
    `query ($v: ${'T'.repeat(mebibyte)}) { features(first: $v) { totalCount } }`,
  ),
  post('a directive with a name of 1 MB', 'refused', `{ __typename @${'d'.repeat(mebibyte)} }`),
  post('an operation name of 1 MB', 'refused', '{ __typename }', {}, { operationName: 'o'.repeat(mebibyte) }),
  post(
    'an enum value of 1 MB',
    'refused',
    'query ($s: FeatureStatus) { features(filter: { status: $s }) { totalCount } }',
    { s: 'S'.repeat(mebibyte) },
  ),
  post('a text of 1 MB', 'refused', `{ sentiment(text: ${JSON.stringify('a '.repeat(mebibyte / 2))}) { label } }`),
  post('a text of 1 MB by a variable', 'refused', 'query ($t: String!) { sentiment(text: $t) { label } }', {
    t: '😀'.repeat(250_000),
  }),
  post('a block text of 1 MB', 'refused', `{ searchDocuments(query: """${'\n    a'.repeat(150_000)}""") { score } }`),
  post('a search of 500 words', 'harmless', 'query ($q: String!) { searchDocuments(query: $q) { score } }', {
    q: '-"a" or '.repeat(62),
  }),
  post('an id of 1 MB', 'refused', 'query ($id: ID!) { node(id: $id) { id } }', { id: 'VXNl'.repeat(mebibyte / 4) }),
  post(
    'a cursor of 1 MB',
    'refused',
    'query ($after: String) { features(after: $after) { totalCount nodes { id } } }',
    { after: 'VXNl'.repeat(mebibyte / 4) },
  ),
  post('a number of 1 MB', 'refused', `{ features(first: ${'9'.repeat(mebibyte)}) { totalCount } }`),
  post('a comment of 1 MB', 'refused', `#${'x'.repeat(mebibyte)}\n{ nothing }`),
  post('200,000 comments', 'refused', `${'#x\n'.repeat(200_000)}{ nothing }`),
  post('1 MB of commas', 'refused', `{${','.repeat(mebibyte)} nothing }`),
  post('1 MB of blanks and line ends', 'refused', `{${' \n'.repeat(mebibyte / 2)} nothing }`),
  raw('a body over the limit', 'refused', JSON.stringify({ query: `#${'x'.repeat(3 * mebibyte)}\n{ __typename }` })),
];
