/** One database behind two servers that check real tokens: one keeps answers, the other makes each of them anew. */
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { createAuthenticator } from '../auth/authenticate.ts';
import { AnswerCache, type AnswerCacheOptions } from '../cache/answer-cache.ts';
import { createLocalInvalidationLog } from '../cache/invalidation-log.ts';
import type { Outcome } from '../cache/operation-record.ts';
import { readConfig } from '../config.ts';
import type { Dependencies, Viewer } from '../context.ts';
import { createApp } from '../http/app.ts';
import { HitPath } from '../http/hit-path.ts';
import type { RateLimiter } from '../http/rate-limit/rate-limiter.ts';
import type { TrustedDocuments } from '../http/trusted-documents/trusted-documents.ts';
import { serveApp } from './serve-app.ts';
import { createTestApp, type TestApp, unlimitedCost } from './test-app.ts';
import { createTestIssuer, type TestIssuer } from './test-issuer.ts';

export interface CachedServers {
  /** The database, a viewer, and query() as whom a test wants, with the same cache. */
  readonly app: TestApp;
  readonly issuer: TestIssuer;
  readonly cache: AnswerCache;
  /** Where the server listens that keeps answers, and the one that keeps none. */
  readonly cached: string;
  readonly fresh: string;
  /** How the first one answered, oldest first. */
  readonly outcomes: Outcome[];
  close(): Promise<void>;
}

export interface CachedServersOptions {
  /** Default: that of a process that writes alone. */
  openLog?: AnswerCacheOptions['openLog'];
  trustedDocuments?: TrustedDocuments;
  /** Of the server that keeps answers. */
  rateLimiter?: RateLimiter;
  /** What both are lent. */
  wrapDependencies?: (dependencies: Dependencies) => Dependencies;
}

/** No predictions are recorded, and no operation costs too much. */
export async function createCachedServers({
  openLog = createLocalInvalidationLog,
  trustedDocuments,
  rateLimiter,
  wrapDependencies = (dependencies) => dependencies,
}: CachedServersOptions = {}): Promise<CachedServers> {
  const outcomes: Outcome[] = [];
  const cache = new AnswerCache({ openLog, maxBytes: 2 ** 24, onOutcome: (outcome) => outcomes.push(outcome) });
  const issuer = await createTestIssuer();
  const log = pino({ level: 'silent' });
  let lent: Dependencies | undefined;
  const app = await createTestApp({
    cache,
    settings: unlimitedCost,
    wrapDependencies: (given) => {
      const auth = { mode: 'tokens', ...issuer.settings } as const;
      const authenticate = createAuthenticator({ auth, database: given.database, dataDir: '', log });
      lent = wrapDependencies({ ...given, authenticate, predictions: { record() {} } });
      return { ...lent, authenticate: given.authenticate };
    },
  });
  const dependencies = lent!;
  const hitPath = new HitPath({ cache, authenticate: dependencies.authenticate, trustedProxies: 0, rateLimiter });
  const common = {
    dependencies,
    log,
    settings: { ...readConfig({ NODE_ENV: 'test' }), ...unlimitedCost },
    ...(trustedDocuments && { trustedDocuments }),
  };
  const keeping = createApp({
    ...common,
    registry: new Registry(),
    answers: { cache, hitPath },
    ...(rateLimiter && { rateLimiter }),
  });
  const making = createApp({ ...common, registry: new Registry() });
  const cached = await serveApp({ ...app, handler: keeping.handler, directPath: keeping.directPath, hitPath });
  const fresh = await serveApp({
    ...app,
    handler: making.handler,
    hitPath: undefined,
    directPath: undefined,
    close: async () => {},
  });
  return {
    app,
    issuer,
    cache,
    cached: cached.origin,
    fresh: fresh.origin,
    outcomes,
    async close() {
      await fresh.close();
      await cached.close();
      cache.close();
      await issuer.close();
    },
  };
}

/** Headers of a request with a token of a viewer; without one for null. */
export async function signedHeaders(issuer: TestIssuer, viewer: Viewer | null): Promise<Record<string, string>> {
  return viewer === null ? {} : { authorization: `Bearer ${await issuer.sign(viewer)}` };
}
