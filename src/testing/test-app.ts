import type { RequestListener } from 'node:http';
import { type Logger, pino } from 'pino';
import { Registry } from 'prom-client';
import { inject } from 'vitest';
import type { AnswerCache } from '../cache/answer-cache.ts';
import { readConfig } from '../config.ts';
import type { Dependencies, Viewer } from '../context.ts';
import { createPassageIndex } from '../domains/documents/passage-index.ts';
import { createPredictionRecorder, type PredictionRecorder } from '../domains/predictions/recorder.ts';
import { Rollouts } from '../domains/predictions/rollouts.ts';
import { type AppSettings, createApp } from '../http/app.ts';
import type { DirectPath } from '../http/direct-path/direct-path.ts';
import { HitPath } from '../http/hit-path.ts';
import type { RateLimiter } from '../http/rate-limit/rate-limiter.ts';
import type { TrustedDocuments } from '../http/trusted-documents/trusted-documents.ts';
import type { PublicUses } from '../http/warm-up/public-uses.ts';
import type { InferenceEngine } from '../inference/engine.ts';
import { scanModelRepository } from '../inference/repository.ts';
import { createWorkerEngine } from '../inference/worker-engine.ts';
import type { Redis } from '../redis/client.ts';
import { createOrganization } from './seed-builders.ts';
import { createTestDatabase, type TestDatabase } from './test-database.ts';

export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests read the answer's fields by name
  data: any;
  errors?: { message: string; path?: (string | number)[]; extensions: Record<string, unknown> }[];
  extensions?: Record<string, unknown>;
  headers: Headers;
}

export interface TestApp {
  database: TestDatabase;
  inference: InferenceEngine;
  predictions: PredictionRecorder;
  /** Without a look at the database of its own. */
  rollouts: Rollouts;
  /** An organization with one user, whom requests act as unless told otherwise. */
  viewer: Viewer;
  /** Sends an operation without a socket, as the viewer given. */
  query(document: string, variables?: Record<string, unknown>, viewer?: Viewer | null): Promise<Answer>;
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** For a real socket. */
  handler: RequestListener;
  /** Of an app with a cache. */
  hitPath: HitPath | undefined;
  directPath: DirectPath | undefined;
  registry: Registry;
  close(): Promise<void>;
}

export interface TestAppOptions {
  /** The folder of models. Default: those that are shipped. */
  modelsDirectory?: string;
  /** Stands in for the worker threads where a test wants to see or break inference. */
  wrapInference?: (engine: InferenceEngine) => InferenceEngine;
  /** Stands in for what requests are lent, where a test wants to break the database or to keep no predictions. */
  wrapDependencies?: (dependencies: Dependencies) => Dependencies;
  /** Keeps answers, as a process does that writes alone. */
  cache?: AnswerCache;
  /** Answers searches as earlier ones; needs a cache that has its log. */
  semanticCache?: Dependencies['semanticCache'];
  /** Default: every client may ask as much as it wants. */
  rateLimiter?: RateLimiter;
  /** Settings that differ from the defaults. */
  settings?: Partial<AppSettings>;
  /** What the server logs; nothing by default. */
  log?: Logger;
  /** Default: none. */
  trustedDocuments?: TrustedDocuments;
  /** What registered documents are shared through. Default: nothing. */
  redis?: Redis;
  /** Counts what everybody asks for; with a cache only. Default: nothing is counted. */
  publicUses?: PublicUses;
}

/** For tests that ask for everything at once. */
export const unlimitedCost: Partial<AppSettings> = {
  limits: readConfig({ NODE_ENV: 'test', LIMIT_COST: 'off' }).limits,
};

/** Whom a request of a test acts as, as JSON. */
export const viewerHeader = 'x-test-viewer';

/** The whole server over a database of its own: real Postgres, real models, no socket. */
export async function createTestApp({
  modelsDirectory = 'models',
  wrapInference = (engine) => engine,
  wrapDependencies = (dependencies) => dependencies,
  cache,
  semanticCache,
  rateLimiter,
  settings = {},
  log = pino({ level: 'silent' }),
  trustedDocuments,
  redis,
  publicUses,
}: TestAppOptions = {}): Promise<TestApp> {
  const database = await createTestDatabase(inject('postgres'), cache?.onWrite);
  const engine = await createWorkerEngine({ repository: await scanModelRepository(modelsDirectory), workers: 1 });
  const inference = wrapInference(engine);
  const predictions = createPredictionRecorder({ database: database.pool, onError: (error) => console.error(error) });
  const rollouts = new Rollouts({ database: database.pool, inference, onError: (error) => console.error(error) });
  const viewer = await createOrganization(database.pool);
  const authenticate = async (request: Request) => {
    const given = request.headers.get(viewerHeader);
    return given === null ? viewer : (JSON.parse(given) as Viewer | null);
  };
  const registry = new Registry();
  const hitPath = cache && new HitPath({ cache, authenticate, trustedProxies: 0, rateLimiter });
  const app = createApp({
    dependencies: wrapDependencies({
      database: database.pool,
      analyticsDatabase: database.pool,
      inference,
      predictions,
      rollouts,
      vectors: createPassageIndex({ database: database.pool }),
      semanticCache,
      authenticate,
    }),
    log,
    registry,
    ...(trustedDocuments && { trustedDocuments }),
    settings: { ...readConfig({ NODE_ENV: 'test' }), ...settings },
    ...(rateLimiter && { rateLimiter }),
    ...(redis && { redis }),
    answers: cache && hitPath && { cache, hitPath, ...(publicUses && { publicUses }) },
  });
  database.takeStatements();
  const fetchApp = async (path: string, init?: RequestInit) => app.fetch(`http://test${path}`, init ?? {});
  return {
    database,
    inference,
    predictions,
    rollouts,
    viewer,
    fetch: fetchApp,
    handler: app.handler,
    hitPath,
    directPath: app.directPath,
    registry,
    async query(document, variables = {}, as = viewer) {
      const response = await fetchApp('/graphql', {
        method: 'POST',
        headers: { 'content-type': 'application/json', [viewerHeader]: JSON.stringify(as) },
        body: JSON.stringify({ query: document, variables }),
      });
      return {
        status: response.status,
        headers: response.headers,
        ...((await response.json()) as Omit<Answer, 'status' | 'headers'>),
      };
    },
    async close() {
      await rollouts.close();
      await predictions.flush();
      await engine.close();
      await database.drop();
    },
  };
}

/**
 * The names of the statements a piece of work runs, in order; writes of the prediction recorder, which no request
 * waits for, are left out.
 */
export async function countStatements(app: TestApp, work: () => Promise<unknown>): Promise<string[]> {
  app.database.takeStatements();
  await work();
  const background = new Set(['insertPredictions', 'insertForecastPoints']);
  return app.database
    .takeStatements()
    .map((statement) => statement.name)
    .filter((name) => !background.has(name));
}
