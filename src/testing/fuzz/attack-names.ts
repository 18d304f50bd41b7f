import { type Attack, post, raw } from './attack.ts';
import { objectNames } from './hostile-values.ts';

/** What lets a stranger learn the schema where it is not shown. */
export const curiosity: readonly Attack[] = [
  ...[
    '{ __schema { types { name } } }',
    '{ __type(name: "Feature") { fields { name } } }',
    '{ a: __schema { queryType { name } } }',
    '{ ...F } fragment F on Query { __schema { directives { name } } }',
    'query ($n: String!) { __type(name: $n) { name } }',
    'mutation { __schema { types { name } } }',
    '{ ... on Query @include(if: true) { __type(name: "User") { name } } }',
  ].map((query) => post(query, 'GRAPHQL_VALIDATION_FAILED', query, { n: 'Feature' })),
  ...[
    '{ featurs { totalCount } }',
    '{ features(frist: 1) { totalCount } }',
    '{ features(filter: { statuss: DONE }) { totalCount } }',
    '{ features(filter: { status: DON }) { totalCount } }',
    '{ viewer { nam } }',
    '{ node(id: "x") { ... on Featur { id } } }',
    '{ node(id: "x") { name } }',
    'query ($f: FeatureFilte) { features(filter: $f) { totalCount } }',
    '{ __typename @skp(if: true) }',
    'mutation { createFeatur(input: { name: "x" }) { __typename } }',
  ].map((query) => post(query, 'GRAPHQL_VALIDATION_FAILED', query)),
  post(
    'a wrong enum value by a variable',
    'BAD_USER_INPUT',
    'query ($s: FeatureStatus) { features(filter: { status: $s }) { totalCount } }',
    { s: 'DON' },
  ),
  post(
    'a wrong input field by a variable',
    'BAD_USER_INPUT',
    'query ($f: FeatureFilter) { features(filter: $f) { totalCount } }',
    { f: { statuss: 'DONE' } },
  ),
];

/** Names that every object of JavaScript has, wherever a client may write a name. */
export const names: readonly Attack[] = objectNames.flatMap((name) => [
  post(`the id ${name}`, 'BAD_USER_INPUT', 'query ($id: ID!) { node(id: $id) { id } }', { id: name }),
  post(`a node of type ${name}`, 'BAD_USER_INPUT', 'query ($id: ID!) { node(id: $id) { id } }', {
    id: Buffer.from(`${name}:1`).toString('base64url'),
  }),
  post(
    `the cursor ${name}`,
    'BAD_USER_INPUT',
    'query ($c: String) { features(after: $c) { totalCount nodes { id } } }',
    { c: name },
  ),
  post(`the model ${name}`, 'harmless', 'query ($n: String!) { model(name: $n) { name } }', { n: name }),
  post(
    `the enum value ${name}`,
    'GRAPHQL_VALIDATION_FAILED',
    `{ features(filter: { status: ${name} }) { totalCount } }`,
  ),
  post(`the field ${name}`, 'GRAPHQL_VALIDATION_FAILED', `{ ${name} }`),
  post(`the argument ${name}`, 'GRAPHQL_VALIDATION_FAILED', `{ features(${name}: 1) { totalCount } }`),
  post(`the directive ${name}`, 'GRAPHQL_VALIDATION_FAILED', `{ __typename @${name} }`),
  post(`the type ${name}`, 'GRAPHQL_VALIDATION_FAILED', `query ($v: ${name}) { features(first: $v) { totalCount } }`),
  post(`the fragment ${name}`, 'harmless', `{ ...${name} } fragment ${name} on Query { __typename }`),
  post(`the alias ${name}`, 'harmless', `{ ${name}: __typename }`),
  post(`the operation ${name}`, 'harmless', `query ${name} { __typename }`, {}, { operationName: name }),
  post(`no operation ${name}`, 'refused', 'query A { __typename } query B { __typename }', {}, { operationName: name }),
  raw(
    `the variable ${name}`,
    'harmless',
    `{"query":"query ($${name}: Int) { features(first: $${name}) { totalCount } }","variables":{"${name}":1}}`,
  ),
  raw(
    `a variable that is missing, ${name}`,
    'refused',
    `{"query":"query ($${name}: Int!) { features(first: $${name}) { totalCount } }","variables":{}}`,
  ),
  raw(
    `the input field ${name}`,
    'BAD_USER_INPUT',
    `{"query":"query ($f: FeatureFilter) { features(filter: $f) { totalCount } }","variables":{"f":{"${name}":{"status":"DONE"}}}}`,
  ),
  raw(`the parameter ${name}`, 'refused', `{"query":"{ nothing }","${name}":{"query":"{ __typename }"}}`),
  raw(
    `the extension ${name}`,
    'harmless',
    `{"query":"{ __typename }","extensions":{"${name}":{"persistedQuery":{"version":1}}}}`,
  ),
]);
