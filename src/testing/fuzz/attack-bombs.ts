import { type Attack, post } from './attack.ts';

const many = (count: number, write: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => write(index)).join(' ');

/** A field of features below each other, so many levels of it. */
const nested = (levels: number) =>
  `{ features(first: 1) { nodes { ${'testCases(first: 1) { nodes { feature { '.repeat(levels)}id${' } } }'.repeat(levels)} } } }`;

/** Each fragment spreads the next one twice, below aliases of its own. */
function doublingFragments(levels: number): string {
  const fragment = (index: number) =>
    `fragment F${index} on Feature { a${index}: testCases(first: 1) { nodes { feature { ...F${index + 1} } } } b${index}: testCases(first: 1) { nodes { feature { ...F${index + 1} } } } }`;
  return `{ features(first: 1) { nodes { ...F0 } } } ${many(levels, fragment)} fragment F${levels} on Feature { id }`;
}

/** Documents that are small to send and large to check or to run. */
export const bombs: readonly Attack[] = [
  post('aliases of a field', 'QUERY_TOO_COMPLEX', `{ viewer { ${many(60, (i) => `a${i}: id`)} } }`),
  post('10,000 aliases', 'QUERY_TOO_COMPLEX', `{ ${many(10_000, (i) => `a${i}: viewer { id }`)} }`),
  post('aliases of __typename', 'QUERY_TOO_COMPLEX', `{ ${many(60, (i) => `a${i}: __typename`)} }`),
  post(
    'aliases in a fragment',
    'QUERY_TOO_COMPLEX',
    `{ viewer { ...F } } fragment F on User { ${many(60, (i) => `a${i}: id`)} }`,
  ),
  post('root fields', 'QUERY_TOO_COMPLEX', `{ ${many(21, (i) => `a${i}: models { id }`)} }`),
  post(
    'a mutation many times',
    'QUERY_TOO_COMPLEX',
    `mutation { ${many(21, (i) => `a${i}: createFeature(input: { name: "x" }) { feature { id } }`)} }`,
  ),
  post('directives', 'QUERY_TOO_COMPLEX', `{ __typename ${'@skip(if: false) '.repeat(60)} }`),
  post('directives on many fields', 'QUERY_TOO_COMPLEX', `{ viewer { ${many(60, () => 'id @include(if: true)')} } }`),
  post('unknown directives', 'QUERY_TOO_COMPLEX', `{ __typename ${'@a'.repeat(900)} }`),
  post(
    'a fragment that spreads itself',
    'GRAPHQL_VALIDATION_FAILED',
    '{ viewer { ...A } } fragment A on User { id ...A }',
  ),
  post(
    'fragments in a ring',
    'GRAPHQL_VALIDATION_FAILED',
    '{ ...A } fragment A on Query { ...B } fragment B on Query { ...C } fragment C on Query { ...A }',
  ),
  post(
    'a ring below fields',
    'GRAPHQL_VALIDATION_FAILED',
    '{ features { nodes { ...A } } } fragment A on Feature { testCases { nodes { feature { ...A } } } }',
  ),
  post(
    'a ring of 100 fragments',
    'refused',
    `{ ...F0 } ${many(100, (i) => `fragment F${i} on Query { ...F${(i + 1) % 100} ...F${(i + 7) % 100} }`)}`,
  ),
  post('fragments that double', 'QUERY_TOO_COMPLEX', doublingFragments(20)),
  post(
    'fragments that double, within the depth',
    'refused',
    doublingFragments(4).replaceAll('first: 1)', 'first: 100)'),
  ),
  post(
    'spreads that double and add nothing',
    'harmless',
    `{ ...F0 } ${many(40, (i) => `fragment F${i} on Query { ...F${i + 1} ...F${i + 1} }`)} fragment F40 on Query { __typename }`,
  ),
  post(
    'fragments that nobody uses',
    'refused',
    `{ __typename } ${many(200, (i) => `fragment F${i} on Query { __typename }`)}`,
  ),
  post('deep nesting', 'QUERY_TOO_COMPLEX', nested(10)),
  post('deeper nesting', 'QUERY_TOO_COMPLEX', nested(150)),
  post('nesting of fields that are not there', 'QUERY_TOO_COMPLEX', `${'{ a '.repeat(900)}${'}'.repeat(900)}`),
  post('100,000 braces', 'refused', '{'.repeat(100_000)),
  post('100,000 brackets', 'refused', `{ nodes(ids: ${'['.repeat(100_000)}`),
  post('brackets up to the tokens allowed', 'refused', `{ nodes(ids: ${'['.repeat(1_990)}`),
  post('a type as deep as the tokens allow', 'refused', `query ($v: ${'['.repeat(1_990)}`),
  post('a deep list', 'refused', `{ nodes(ids: ${'['.repeat(900)}${']'.repeat(900)}) { id } }`),
  post(
    'a deep object',
    'refused',
    `{ features(filter: ${'{ status: '.repeat(400)}DONE${' }'.repeat(400)}) { totalCount } }`,
  ),
  post('a deep type', 'refused', `query ($v: ${'['.repeat(900)}Int${']'.repeat(900)}) { __typename }`),
  post('deep inline fragments', 'harmless', `{ ${'... { '.repeat(600)}__typename${' }'.repeat(600)} }`),
  post('a field of one name 1,900 times', 'refused', `{ viewer { ${'id '.repeat(1_900)} } }`),
  post('a field of one name 300,000 times', 'QUERY_TOO_COMPLEX', `{ viewer { ${'id '.repeat(300_000)} } }`),
  post('objects of one name that overlap', 'refused', `{ ${'viewer { id name } '.repeat(300)} }`),
  post('overlapping fields below each other', 'refused', `{ ${'features { nodes { owner { id } } } '.repeat(150)} }`),
  post(
    'overlapping fragments',
    'harmless',
    `{ viewer { ${many(90, (i) => `...F${i}`)} } } ${many(90, (i) => `fragment F${i} on User { id name email }`)}`,
  ),
  post('fields that are not there', 'refused', `{ ${many(900, (i) => `f${i}`)} }`),
  post('variables that nobody uses', 'refused', `query (${many(400, (i) => `$v${i}: Int`)}) { __typename }`),
  post(
    'many operations',
    'refused',
    many(300, (i) => `query Q${i} { __typename }`),
  ),
  post('many operations of one name', 'refused', 'query Q { __typename } '.repeat(300)),
  post(
    'the cost of lists of lists',
    'QUERY_TOO_COMPLEX',
    '{ features(first: 100) { nodes { testCases(first: 100) { nodes { feature { deployments(first: 100) { nodes { id } } } } } } } }',
  ),
  post(
    'the cost of lists by variables',
    'QUERY_TOO_COMPLEX',
    'query ($n: Int) { features(first: $n) { nodes { testCases(first: $n) { nodes { feature { deployments(first: $n) { nodes { id } } } } } } } }',
    { n: 100 },
  ),
];
