/**
 * The response cache of the stack as its makers ship it: Yoga with its plugin, in memory, the same schema over the same
 * database, as the demo user. On a free port that it prints.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { useResponseCache } from '@graphql-yoga/plugin-response-cache';
import { createYoga } from 'graphql-yoga';
import { createDemoAuthenticator } from '../src/auth/demo-viewer.ts';
import { type Context, createContext, type Dependencies } from '../src/context.ts';
import { createPool } from '../src/db/pool.ts';
import { createPassageIndex } from '../src/domains/documents/passage-index.ts';
import { Rollouts } from '../src/domains/predictions/rollouts.ts';
import { scanModelRepository } from '../src/inference/repository.ts';
import { createWorkerEngine } from '../src/inference/worker-engine.ts';
import { schema } from '../src/schema/index.ts';

const ttlMs = 600_000;
const database = createPool({ connection: process.argv[2] ?? '', size: 4 });
const inference = await createWorkerEngine({ repository: await scanModelRepository('models'), workers: 1 });
const dependencies: Dependencies = {
  database,
  analyticsDatabase: database,
  inference,
  predictions: { record: () => {} },
  rollouts: new Rollouts({ database, inference }),
  vectors: createPassageIndex({ database }),
  authenticate: createDemoAuthenticator(database),
};
const { signal } = new AbortController();
const yoga = createYoga<object, Context>({
  schema,
  context: ({ request }) =>
    createContext(dependencies, request, {
      requestId: 'bench',
      signal,
      remainingMs: () => Number.POSITIVE_INFINITY,
      checkListSize: () => {},
    }),
  logging: false,
  plugins: [useResponseCache({ session: (request) => request.headers.get('x-session'), ttl: ttlMs })],
});
const server = createServer(yoga);
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
