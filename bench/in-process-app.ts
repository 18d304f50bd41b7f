import { pino } from 'pino';
import { Registry } from 'prom-client';
import { createDemoAuthenticator } from '../src/auth/demo-viewer.ts';
import { readConfig } from '../src/config.ts';
import type { SharedDatabase } from '../src/db/database.ts';
import { createPassageIndex } from '../src/domains/documents/passage-index.ts';
import { Rollouts } from '../src/domains/predictions/rollouts.ts';
import { createApp } from '../src/http/app.ts';
import type { InferenceEngine } from '../src/inference/engine.ts';

export type InProcessApp = ReturnType<typeof createApp>;

/**
 * The whole server but the socket, as the demo user, without quotas; predictions are not recorded.
 * @param accounts where the demo user is looked up
 */
export function createInProcessApp(
  database: SharedDatabase,
  inference: InferenceEngine,
  accounts = database,
): InProcessApp {
  return createApp({
    dependencies: {
      database,
      analyticsDatabase: database,
      inference,
      predictions: { record: () => {} },
      rollouts: new Rollouts({ database, inference }),
      vectors: createPassageIndex({ database }),
      authenticate: createDemoAuthenticator(accounts),
    },
    log: pino({ level: 'error' }),
    registry: new Registry(),
    settings: { ...readConfig({}), hasGraphiql: false },
  });
}

/**
 * Asks an operation of an app and answers its data.
 * @throws when the answer has errors
 */
export async function askInProcess<Data>(app: InProcessApp, query: string, variables: unknown = {}): Promise<Data> {
  const response = await app.fetch('http://bench/graphql', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await response.json()) as { data: Data; errors?: unknown };
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}
