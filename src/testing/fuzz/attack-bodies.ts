import { type Attack, json, mebibyte, raw } from './attack.ts';

const bad = 'mutation { deleteFeature(input: { id: "VXNlcjox" }) { deletedId } }';
const good = 'mutation { createFeature(input: { name: "attack" }) { feature { id } } }';
const goodBody = JSON.stringify({ query: good });

/** What is no GraphQL request in JSON, though it may look like one. */
export const bodies: readonly Attack[] = [
  raw('a batch', 'refused', JSON.stringify([{ query: good }, { query: good }])),
  raw('a batch of 10,000', 'refused', JSON.stringify(Array(10_000).fill({ query: '{ __typename }' }))),
  raw('an empty batch', 'refused', '[]'),
  raw('a batch in a batch', 'refused', JSON.stringify([[{ query: good }]])),
  ...[
    'null',
    '1',
    '"{ __typename }"',
    'true',
    '{}',
    '',
    ' ',
    '{',
    '{"query":',
    'undefined',
    "{'query':1}",
    '{"query":"{ __typename }",}',
  ].map((body) => raw(`the body ${JSON.stringify(body)}`, 'refused', body)),
  ...[1, null, {}, [], ['{ __typename }'], { __proto__: null, toString: 1 }].map((query) =>
    raw(`query ${JSON.stringify(query)}`, 'refused', JSON.stringify({ query })),
  ),
  ...['x', 1, [], ['a'], true].map((variables) =>
    raw(`variables ${JSON.stringify(variables)}`, 'refused', JSON.stringify({ query: bad, variables })),
  ),
  ...['x', 1, [], true].map((extensions) =>
    raw(`extensions ${JSON.stringify(extensions)}`, 'refused', JSON.stringify({ query: bad, extensions })),
  ),
  ...[1, {}, [], true].map((operationName) =>
    raw(`operationName ${JSON.stringify(operationName)}`, 'refused', JSON.stringify({ query: bad, operationName })),
  ),
  raw('a key twice, the last one counts', 'refused', `{"query":${JSON.stringify(good)},"query":"{ nothing }"}`),
  raw(
    'variables twice',
    'refused',
    '{"query":"query ($n: Int) { features(first: $n) { totalCount nodes { id } } }","variables":{"n":1},"variables":{"n":-1}}',
  ),
  raw(
    '100,000 lists in each other',
    'refused',
    `{"query":"query ($v: Int) { features(first: $v) { totalCount } }","variables":{"v":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`,
  ),
  raw(
    '100,000 objects in each other',
    'refused',
    `{"query":"query ($v: FeatureFilter) { features(filter: $v) { totalCount } }","variables":{"v":${'{"status":'.repeat(100_000)}1${'}'.repeat(100_000)}}}`,
  ),
  raw(
    'deep extensions',
    'harmless',
    `{"query":"{ __typename }","extensions":{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`,
  ),
  raw(
    '100,000 keys',
    'refused',
    JSON.stringify({
      query: '{ nothing }',
      variables: Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`k${i}`, i])),
    }),
  ),
  raw(
    'a number of a million digits',
    'refused',
    `{"query":"query ($n: Int) { features(first: $n) { totalCount } }","variables":{"n":${'9'.repeat(mebibyte)}}}`,
  ),
  raw(
    'invalid UTF-8',
    'refused',
    Uint8Array.from([...Buffer.from('{"query":"{ __typename }'), 0xff, 0xfe, 0xc0, 0x80, ...Buffer.from('"}')]),
  ),
  raw(
    'overlong UTF-8',
    'refused',
    Uint8Array.from([...Buffer.from('{"query":"{ __typename } #'), 0xc0, 0xaf, ...Buffer.from('"}')]),
  ),
  raw('UTF-16', 'refused', Uint8Array.from(Buffer.from(goodBody, 'utf16le'))),
  raw('a byte order mark', 'refused', `\ufeff${goodBody}`),
  raw('NUL bytes', 'refused', '\u0000'.repeat(1_000)),
];

const simpleTypes = [
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/graphql',
];
const oddTypes = [
  'text/plain; application/json',
  'application/json, text/plain',
  'text/plain, application/json',
  'application/jsonp',
  'application/json+x',
  'text/json',
  'application/graphql-response+json',
  'application/json; charset=utf-16',
  'application/json; charset=utf-7',
  'application/json; charset=iso-8859-1',
  '*/*',
  'application/*',
  '__proto__',
];

/** Other ways to get a mutation run: each must leave the database alone. */
export const wrongWays: readonly Attack[] = [
  ...[...simpleTypes, ...oddTypes].map((type) =>
    raw(`content-type ${type}`, 'refused', goodBody, { 'content-type': type }),
  ),
  // fetch names a type of its own where a text has none.
  raw('no content-type', 'refused', new TextEncoder().encode(goodBody), {}),
  raw('a form with the query', 'refused', `query=${encodeURIComponent(good)}`, {
    'content-type': 'application/x-www-form-urlencoded',
  }),
  raw(
    'a multipart request',
    'refused',
    `--x\r\ncontent-disposition: form-data; name="operations"\r\n\r\n${goodBody}\r\n--x--\r\n`,
    { 'content-type': 'multipart/form-data; boundary=x' },
  ),
  ...['gzip', 'deflate', 'br', 'zstd', 'gzip, gzip', 'x'].map((encoding) =>
    raw(`content-encoding ${encoding}`, 'refused', goodBody, { ...json, 'content-encoding': encoding }),
  ),
  ...['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'PROPFIND'].map(
    (method): Attack => ({
      label: `${method} with the mutation in the URL`,
      method,
      search: `?query=${encodeURIComponent(good)}`,
      headers: { ...json, accept: 'application/json' },
      expected: 'refused',
    }),
  ),
  ...['x-http-method-override', 'x-http-method', 'x-method-override'].map(
    (name): Attack => ({
      label: `GET with ${name}: POST`,
      method: 'GET',
      search: `?_method=POST&query=${encodeURIComponent(good)}`,
      headers: { ...json, [name]: 'POST' },
      expected: 'refused',
    }),
  ),
  ...['PUT', 'PATCH', 'DELETE', 'QUERY'].map(
    (method): Attack => ({
      label: `${method} with the mutation in its body`,
      method,
      headers: json,
      body: goodBody,
      expected: 'refused',
    }),
  ),
  {
    label: 'GET of an operation among others',
    method: 'GET',
    search: `?operationName=M&query=${encodeURIComponent(`query Q { __typename } ${good.replace('mutation', 'mutation M')}`)}`,
    headers: json,
    expected: 'refused',
  },
  {
    label: 'POST without a body, the mutation in the URL',
    method: 'POST',
    search: `?query=${encodeURIComponent(good)}`,
    headers: json,
    body: '',
    expected: 'refused',
  },
  {
    label: 'a mutation that If-None-Match stands before',
    headers: { ...json, 'if-none-match': '*' },
    body: JSON.stringify({ query: bad }),
    expected: 'refused',
  },
  ...['-1', '0', 'NaN', '1e9', '999999999999', '5, 6', "1'", '__proto__'].map((text) =>
    raw(`x-request-timeout-ms: ${text}`, 'refused', JSON.stringify({ query: bad }), {
      ...json,
      'x-request-timeout-ms': text,
    }),
  ),
];
