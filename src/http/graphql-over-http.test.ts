import type { Server } from 'node:http';
import { serverAudits } from 'graphql-http';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestApp, type TestApp } from '../testing/test-app.ts';
import { createListener, listen } from './listener.ts';

let app: TestApp;
let server: Server;
let origin = '';

beforeAll(async () => {
  app = await createTestApp();
  const listener = createListener({
    graphql: app.handler,
    readiness: async () => ({ isReady: true, details: {} }),
    registry: new Registry(),
    servesMetrics: true,
  });
  const listening = await listen(listener, '127.0.0.1', 0);
  server = listening.server;
  origin = `http://127.0.0.1:${listening.port}`;
});

afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await app.close();
});

const audits = serverAudits({ url: () => `${origin}/graphql`, fetchFn: fetch });

describe('GraphQL over HTTP', () => {
  test('has all of its audits', () => {
    expect(audits).toHaveLength(61);
  });

  test.each(audits.map((audit) => [audit.id, audit.name, audit] as const))('%s %s', async (_id, _name, audit) => {
    const result = await audit.fn();
    expect(result.status, 'reason' in result ? result.reason : '').toBe('ok');
  });
});
