import { type OperationDefinitionNode, parse } from 'graphql';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AnswerCache } from '../cache/answer-cache.ts';
import { answerPolicyOf } from '../cache/document-policy.ts';
import { createLocalInvalidationLog } from '../cache/invalidation-log.ts';
import type { Viewer } from '../context.ts';
import { schema } from '../schema/index.ts';
import { createFullOrganization } from '../testing/full-organization.ts';
import { harvest, valuesOf } from '../testing/harvest.ts';
import { listOperations, printOperation } from '../testing/schema-walk.ts';
import { createTestApp, type TestApp, unlimitedCost, viewerHeader } from '../testing/test-app.ts';

const word = 'plainword';
let app: TestApp;
let viewer: Viewer;

beforeAll(async () => {
  const cache = new AnswerCache({ openLog: createLocalInvalidationLog, maxBytes: 2 ** 24 });
  app = await createTestApp({ cache, settings: unlimitedCost });
  viewer = await createFullOrganization(app.database.pool, { word, level: 100, count: 2 });
});

afterAll(() => app.close());

test('every query that is public is made of tables whose writes are purged', async () => {
  const value = valuesOf(schema, await harvest(app, schema, viewer, word), word);
  const documents = listOperations(schema)
    .filter(({ kind }) => kind === 'query')
    .map((operation) => printOperation(schema, operation, { includes: () => false, value }))
    .filter((document) => {
      const parsed = parse(document);
      return answerPolicyOf(schema, parsed, parsed.definitions[0] as OperationDefinitionNode)?.scope === 'public';
    });
  expect(documents.length).toBeGreaterThanOrEqual(2);
  for (const query of documents) {
    const response = await app.fetch(`/graphql?${new URLSearchParams({ query })}`, {
      headers: { [viewerHeader]: 'null', accept: 'application/json' },
    });
    expect(await response.json(), query).not.toHaveProperty('errors');
    expect(response.headers.get('cache-tag'), query).toMatch(/^tributary(?:,[0-9a-f]{12})+$/);
  }
});
