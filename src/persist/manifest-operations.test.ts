import { describe, expect, test } from 'vitest';
import { apolloFormat, readManifest } from '../http/trusted-documents/manifest.ts';
import { schema } from '../schema/index.ts';
import { findManifestProblems } from './check-manifest.ts';
import { keepWarmUps, readManifestOperations } from './manifest-operations.ts';

const roadmap = (variables: string, rest = '') =>
  `query Roadmap(${variables}) { publicFeatures(organizationId: $organizationId, first: $first) { nodes { name${rest} } } }`;
const before = roadmap('$organizationId: ID!, $first: Int');
const warmUp = [{ variables: { organizationId: 'x', first: 5 } }];
const manifest = (operation: object) => JSON.stringify({ format: apolloFormat, version: 1, operations: [operation] });
const operationsOf = (id: string, body: string) =>
  readManifestOperations(schema, JSON.stringify({ [id]: body })).operations;

describe('what is run at the start of a server', () => {
  test('stays with the name of its operation when the operation changes', () => {
    const known = readManifest(manifest({ id: 'a', name: 'Roadmap', body: before, warmUp }));
    const operations = operationsOf('b', roadmap('$organizationId: ID!, $first: Int', ' status'));
    expect(keepWarmUps(schema, operations, known)).toEqual({ operations: [{ ...operations[0], warmUp }], dropped: [] });
    const others = operationsOf('b', before.replace('Roadmap', 'Other'));
    expect(keepWarmUps(schema, others, known)).toEqual({ operations: others, dropped: [] });
  });

  test('is left out, and told of, when the operation no longer takes its variables', () => {
    const known = readManifest(manifest({ id: 'a', name: 'Roadmap', body: before, warmUp }));
    const changed = operationsOf(
      'b',
      `query Roadmap($organizationId: ID!, $first: Int, $more: Boolean!) {
      publicFeatures(organizationId: $organizationId, first: $first) { nodes { name @include(if: $more) } } }`,
    );
    expect(keepWarmUps(schema, changed, known)).toEqual({
      operations: changed,
      dropped: [
        'Roadmap: warmUp.0: Variable "$more" has invalid value: Expected a value of non-null type "Boolean!" to be provided.',
      ],
    });
  });

  test('is good when its answers are public and its variables are taken', () => {
    expect(findManifestProblems(schema, manifest({ id: 'a', body: before, warmUp }))).toEqual([]);
    const wrong = [{ variables: { organizationId: 'x', first: 'many' } }, { variables: {} }];
    expect(findManifestProblems(schema, manifest({ id: 'a', body: before, warmUp: wrong }))).toEqual([
      expect.stringContaining('a (Roadmap): warmUp.0: Variable "$first" has invalid value'),
      expect.stringContaining('a (Roadmap): warmUp.1: Variable "$organizationId" has invalid value'),
    ]);
    const mixed = `query Mixed { publicFeatures(organizationId: "x") { nodes { name } } viewer { name } }`;
    expect(findManifestProblems(schema, manifest({ id: 'a', body: mixed, warmUp: [{ variables: {} }] }))).toEqual([
      'a (Mixed): warmUp: expected a query whose answers are public',
    ]);
  });

  test('is taken over from another manifest, with its ids; a document of several operations is not', () => {
    const { operations } = readManifestOperations(schema, manifest({ id: 'a', body: before, cost: -1, warmUp }));
    expect(operations).toMatchObject([{ id: 'a', body: before, name: 'Roadmap', type: 'query', warmUp }]);
    expect(operations[0]!.cost).toBeGreaterThan(1);
    const several = readManifestOperations(
      schema,
      JSON.stringify({ a: 'query A { __typename } query B { __typename }' }),
    );
    expect(several.problems).toEqual(['a: expected one operation, got 2']);
  });
});
