import cluster from 'node:cluster';
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import { createAuthenticator } from './auth/authenticate.ts';
import type { AnswerCache } from './cache/answer-cache.ts';
import { SemanticCache } from './cache/semantic-cache.ts';
import type { Config } from './config.ts';
import type { Pool, WriteListener } from './db/database.ts';
import { createPool } from './db/pool.ts';
import type { DatabaseServer } from './db/server.ts';
import { createDocumentEmbedder } from './domains/documents/document-embedder.ts';
import { createPassageIndex } from './domains/documents/passage-index.ts';
import { findVectorExtension } from './domains/documents/queries/passage.ts';
import { createPredictionRecorder } from './domains/predictions/recorder.ts';
import { Rollouts } from './domains/predictions/rollouts.ts';
import { explainStart, readConfigOrExit } from './explain-failure.ts';
import { tuneGarbageCollection } from './garbage-collection.ts';
import { createAdmission } from './http/admission.ts';
import { createApp } from './http/app.ts';
import { createDrain } from './http/drain.ts';
import { HitPath } from './http/hit-path.ts';
import { createListener, createMetricsListener, listen } from './http/listener.ts';
import { createRateLimiter } from './http/rate-limit/rate-limiter.ts';
import { createReadiness } from './http/readiness.ts';
import { openTrustedDocuments } from './http/trusted-documents/trusted-documents.ts';
import { PublicUses } from './http/warm-up/public-uses.ts';
import { type WarmUpContext, warmUp } from './http/warm-up/warm-up.ts';
import type { InferenceEngine } from './inference/engine.ts';
import { createCachedEngine } from './inference/prediction-cache.ts';
import type { PredictionSink } from './inference/prediction-sink.ts';
import { openCache } from './open-cache.ts';
import { joinDatabase, openMigratedDatabase } from './open-database.ts';
import { openEngine } from './open-engine.ts';
import { openPurger, writeListener } from './open-purger.ts';
import { createRedis, type Redis } from './redis/client.ts';
import { schema } from './schema/index.ts';
import { seedDemoOnce } from './seed/demo.ts';
import { createShutdown, type Shutdown } from './shutdown.ts';
import { createLog } from './telemetry/log.ts';
import { createMetrics, type Metrics } from './telemetry/metrics.ts';
import { createSharedPage, followPrimary, leavePrimary } from './web-processes/child.ts';
import { runPrimary } from './web-processes/primary.ts';

/** What the parts of the start share. */
interface Process {
  config: Config;
  log: Logger;
  metrics: Metrics;
  shutdown: Shutdown;
  /** It is one of several, and a primary has started it. */
  hasPrimary: boolean;
}

/** Makes the process-wide things in order, and serves until a signal, or until its primary says so. */
async function main(config: Config): Promise<void> {
  const log = await createLog(config.logLevel);
  const hasPrimary = config.webProcesses > 1;
  if (hasPrimary && cluster.isPrimary) return runPrimary(config, log);
  const shutdown = createShutdown(log, config.drainDelayMs + config.drainTimeoutMs, hasPrimary ? {} : undefined);
  const metrics = createMetrics();
  if (hasPrimary) followPrimary({ shutdown, registry: metrics.registry });
  try {
    const origin = await start({ config, log, metrics, shutdown, hasPrimary });
    if (!hasPrimary) log.info(`GraphQL and GraphiQL at ${origin}/graphql`);
  } catch (error) {
    if (shutdown.hasBegun) return;
    console.error(explainStart(error, config));
    await shutdown.begin('fault');
  }
}

async function start(given: Process): Promise<string> {
  const { config, metrics, shutdown, hasPrimary } = given;
  // Ends are last first: what it tells the primary is the last it does.
  if (hasPrimary) shutdown.onEnd(() => leavePrimary(metrics.registry));
  const server = hasPrimary ? await joinDatabase(given) : await openMigratedDatabase(given);
  const redis = openRedis(given);
  // What is written by it is no change of what is answered.
  const openDatabase = () => openPool(given, { server, onWrite: undefined }, 'cache', 1);
  const cache = openCache(given, { redis, openDatabase });
  const pools = { server, onWrite: writeListener(cache, openPurger(given)) };
  const database = openPool(given, pools, 'requests', config.databasePoolSize);
  const analyticsDatabase = openPool(given, pools, 'analytics', config.analyticsPoolSize);

  const inference = await openInference(given);
  if (config.environment !== 'production') await fillInDemo(given, database, inference);
  return serve(given, { database, analyticsDatabase, redis, cache, inference });
}

/** What is there before anything is served. */
interface Resources {
  database: Pool;
  analyticsDatabase: Pool;
  redis: Redis | null;
  cache: AnswerCache | null;
  inference: InferenceEngine;
}

async function serve(given: Process, resources: Resources): Promise<string> {
  const { database, analyticsDatabase, redis, cache, inference } = resources;
  const { config, log, metrics, shutdown, hasPrimary } = given;
  const { registry } = metrics;
  const predictions = createPredictionRecorder({
    database,
    onError: (error) => log.error({ err: error }, 'predictions could not be recorded'),
  });
  shutdown.onEnd(() => predictions.flush());
  metrics.watchPredictions(predictions);
  const rollouts = await openRollouts(given, database, inference);
  const authenticate = createAuthenticator({ ...config, database, log, registry });
  const rateLimiter = createRateLimiter({ ...config, redis, log, registry });
  const hitPath = cache ? new HitPath({ ...config, cache, authenticate, rateLimiter }) : undefined;
  const trustedDocuments = await openManifest(given, redis, () => hitPath?.forget());
  const publicUses = cache && redis ? new PublicUses({ redis, documents: trustedDocuments }) : null;
  if (publicUses) shutdown.onEnd(() => publicUses.close());
  const app = createApp({
    dependencies: {
      database,
      analyticsDatabase,
      inference,
      predictions,
      rollouts,
      vectors: createPassageIndex({ database, hasVectors: await findVectorExtension(database) }),
      semanticCache: cache ? new SemanticCache({ log: cache.log, registry }) : undefined,
      authenticate,
    },
    log,
    registry,
    settings: config,
    rateLimiter,
    trustedDocuments,
    redis,
    answers: cache && hitPath ? { cache, hitPath, publicUses } : undefined,
  });
  if (cache) {
    const fetch = (url: string, init: RequestInit, context: WarmUpContext) => app.fetch(url, init, context);
    await warmUp({ fetch, schema, documents: trustedDocuments, uses: publicUses, log });
  }
  const admission = createAdmission({ ...config, isDatabaseFull: () => database.isFull(), registry });
  const listener = createListener({
    ...config,
    graphql: app.handler,
    hitPath,
    directPath: app.directPath,
    // Whoever asks whether this server may be sent requests is not told of a process that another one has replaced.
    readiness: createReadiness(database, inference, () => shutdown.hasBegun && shutdown.reason !== 'replacement'),
    registry: hasPrimary ? createSharedPage() : registry,
    servesMetrics: config.metricsPort === undefined,
    admission,
  });
  const { server, port } = await listen(listener, config.host, config.port);
  const drain = createDrain(server);
  shutdown.onDrain(async (reason) => {
    // Not ready any more, but still serving until load balancers have seen it.
    if (reason === 'deploy') await pause(config.drainDelayMs);
    const cutOff = await drain.begin({ timeoutMs: config.drainTimeoutMs });
    if (cutOff > 0) log.warn({ cutOff }, 'requests were cut off at the end');
    admission.close();
  });
  if (config.metricsPort !== undefined && !hasPrimary) await serveMetrics(given, config.metricsPort);
  startEmbedder(given, database, inference, predictions);
  return `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`;
}

/** Behind the listener, so that no start waits for it. */
function startEmbedder(
  { log, shutdown }: Process,
  database: Pool,
  inference: InferenceEngine,
  predictions: PredictionSink,
): void {
  const embedder = createDocumentEmbedder({
    database,
    inference,
    predictions,
    onError: (error) => log.error({ err: error }, 'documents could not be embedded'),
  });
  embedder.start();
  shutdown.onEnd(() => embedder.close());
}

function openPool(
  { config, log, metrics, shutdown }: Process,
  { server, onWrite }: { server: DatabaseServer; onWrite: WriteListener | undefined },
  name: string,
  size: number,
): Pool {
  const pool = createPool({
    connection: () => server.connection,
    size,
    queueSize: config.databaseQueueSize,
    onStatement: metrics.onStatement,
    onWrite,
    onAvailability: (isUp, error) => {
      if (isUp) log.info({ pool: name }, 'the database answers again');
      else log.error({ pool: name, err: error }, 'the database does not answer');
    },
  });
  shutdown.onEnd(() => pool.close());
  metrics.watchPool(name, pool);
  return pool;
}

async function openInference(given: Process): Promise<InferenceEngine> {
  const engine = await openEngine(given);
  const { predictionCacheBytes: maxBytes } = given.config;
  return maxBytes > 0 ? createCachedEngine({ engine, maxBytes, onLookup: given.metrics.onLookup }) : engine;
}

async function openRollouts({ log, metrics, shutdown }: Process, database: Pool, inference: InferenceEngine) {
  const rollouts = new Rollouts({
    database,
    inference,
    onCall: metrics.onCall,
    onReturn: (rollout) => {
      const { organizationId, model, baselineVersion, returnedReason } = rollout;
      log.warn({ organizationId, model, baselineVersion, returnedReason }, 'a rollout returned to its baseline');
      metrics.onRolloutReturn(rollout);
    },
    onError: (error) => log.error({ err: error }, 'rollouts could not be read or written'),
  });
  shutdown.onEnd(() => rollouts.close());
  metrics.watchShadows(rollouts.shadows);
  await rollouts.start();
  return rollouts;
}

/** Without a file all operations are untrusted, so a server that runs trusted ones only does not start. */
async function openManifest({ config, log, shutdown }: Process, redis: Redis | null, onReload: () => void) {
  const { trustedDocumentsPath: path, trustedDocuments: mode } = config;
  const documents = await openTrustedDocuments({
    path,
    redis,
    isRequired: mode === 'only',
    onReload: (size) => {
      // What was answered before may not be asked any more.
      onReload();
      log.info({ path, size }, 'the trusted documents have changed');
    },
    onProblem: (error) => log.error({ err: error }, 'the trusted documents stay as they were'),
  });
  shutdown.onEnd(async () => documents.close());
  return documents;
}

function openRedis({ config, log, metrics, shutdown }: Process): Redis | null {
  if (config.redisUrl === undefined) return null;
  const redis = createRedis({ url: config.redisUrl, log, registry: metrics.registry });
  shutdown.onEnd(async () => redis.close());
  return redis;
}

async function serveMetrics({ config, metrics, shutdown }: Process, port: number): Promise<void> {
  const { server } = await listen(createMetricsListener(metrics.registry), config.host, port);
  shutdown.onEnd(async () => {
    server.close();
    server.closeAllConnections();
  });
}

/** A server without demo data still serves. */
async function fillInDemo({ log, shutdown }: Process, database: Pool, inference: InferenceEngine): Promise<void> {
  try {
    const demo = await seedDemoOnce({ database, inference, now: new Date() });
    if (demo === 'seeded') log.info('filled in the demo data');
  } catch (error) {
    if (shutdown.hasBegun) throw error;
    log.error({ err: error }, 'the demo data could not be filled in');
  }
}

const config = readConfigOrExit('graphql');
tuneGarbageCollection({ keepsAnswers: config.responseCacheBytes > 0 });
await main(config);
