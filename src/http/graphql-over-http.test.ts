import { serverAudits } from 'graphql-http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ServedApp, serveApp } from '../testing/serve-app.ts';
import { createTestApp } from '../testing/test-app.ts';

let served: ServedApp;

beforeAll(async () => {
  served = await serveApp(await createTestApp());
});

afterAll(() => served.close());

const audits = serverAudits({ url: () => `${served.origin}/graphql`, fetchFn: fetch });

describe('GraphQL over HTTP', () => {
  test('has all of its audits', () => {
    expect(audits).toHaveLength(61);
  });

  test.each(audits.map((audit) => [audit.id, audit.name, audit] as const))('%s %s', async (_id, _name, audit) => {
    const result = await audit.fn();
    expect(result.status, 'reason' in result ? result.reason : '').toBe('ok');
  });
});
