import { createSchema, createYoga } from 'graphql-yoga';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { createOperationNames } from './operation-names.ts';
import { parseManifest } from './trusted-documents/manifest.ts';
import { indexDocuments, type TrustedDocuments } from './trusted-documents/trusted-documents.ts';
import { useTrustedDocuments } from './trusted-documents/use-trusted-documents.ts';
import { useOperationMetrics } from './use-operation-metrics.ts';

const manifestOf = (...names: string[]) =>
  indexDocuments(parseManifest(JSON.stringify(Object.fromEntries(names.map((name) => [name, textOf(name)])))));
const textOf = (name: string) => `query ${name} { __typename }`;

/** A server with the examples A and B; its manifest can be changed. */
function serve() {
  const registry = new Registry();
  const operationNames = createOperationNames(['A', 'B']);
  let manifest = manifestOf();
  const documents: TrustedDocuments = {
    get size() {
      return manifest.size;
    },
    find: (id) => manifest.find(id),
    has: (body) => manifest.has(body),
    toWarm: [],
  };
  const log = pino({ level: 'silent' });
  const trust = { documents, mode: 'off', registration: 'everyone', operationNames, log, registry } as const;
  const schema = createSchema({ typeDefs: 'type Query { a: Int }' });
  const plugins = [useOperationMetrics(registry, operationNames), useTrustedDocuments(trust)];
  const yoga = createYoga({ schema, logging: false, plugins });
  return {
    operationNames,
    publish: (...names: string[]) => {
      manifest = manifestOf(...names);
    },
    ask: (body: object) =>
      yoga.fetch('http://test/graphql', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    labels: async () => {
      const { values } = await registry.getSingleMetric('graphql_request_seconds')!.get();
      return [...new Set(values.map(({ labels }) => labels.operation))].sort();
    },
  };
}

describe('metrics of operations', () => {
  test('name the examples and the trusted documents, and call all others by one name', async () => {
    const { publish, ask, labels } = serve();
    publish('Old');
    for (const name of ['A', 'Untrusted', 'New']) await ask({ query: textOf(name) });
    expect(await labels()).toEqual(['A', 'other']);
    await ask({ documentId: 'Old' });
    publish('New');
    await ask({ query: textOf('New') });
    expect(await labels()).toEqual(['A', 'New', 'Old', 'other']);
  });

  test('have so many names at most, however often the manifest changes', async () => {
    const { operationNames, publish, ask, labels } = serve();
    for (let number = 0; number < 997; number++) operationNames.add(`N${number}`);
    for (const name of ['First', 'Second', 'Third']) {
      publish(name);
      await ask({ documentId: name });
    }
    expect(await labels()).toEqual(['First', 'other']);
    expect(['A', 'N996', 'First', 'Second'].map(operationNames.has)).toEqual([true, true, true, false]);
  });
});
