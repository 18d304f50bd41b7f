import { once } from 'node:events';
import type { Logger } from 'pino';
import { createDemoAuthenticator } from './auth/demo-viewer.ts';
import { type Config, readConfig } from './config.ts';
import { migrate } from './db/migrate.ts';
import { createPool } from './db/pool.ts';
import { openDatabaseServer } from './db/server.ts';
import { createPredictionRecorder } from './domains/predictions/recorder.ts';
import { StartupError } from './errors.ts';
import { createApp } from './http/app.ts';
import { createListener, createMetricsListener, listen } from './http/listener.ts';
import { createReadiness } from './http/readiness.ts';
import { scanModelRepository } from './inference/repository.ts';
import { createWorkerEngine } from './inference/worker-engine.ts';
import { seedDemoOnce } from './seed/demo.ts';
import { createLog } from './telemetry/log.ts';
import { createMetrics } from './telemetry/metrics.ts';

const drainMs = 10_000;

/** Makes the process-wide things in order, serves until a signal, and ends them in reverse. */
async function main(config: Config): Promise<void> {
  const log = await createLog(config.logLevel);
  const ends: (() => Promise<unknown>)[] = [];
  let isDraining = false;

  async function end(exitCode: number): Promise<void> {
    if (isDraining) return process.exit(exitCode || 1);
    isDraining = true;
    for (const endNext of ends.reverse()) {
      await endNext().catch((error: unknown) => log.error({ err: error }, 'while ending'));
    }
    process.exit(exitCode);
  }
  // In place before anything starts: a signal during the start ends what has started so far.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void end(0));
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'uncaught error');
    void end(1);
  });

  try {
    const origin = await start(config, log, ends, () => isDraining);
    log.info(`GraphQL and GraphiQL at ${origin}/graphql`);
  } catch (error) {
    if (isDraining) return;
    console.error(explain(error, config));
    await end(1);
  }
}

async function start(
  config: Config,
  log: Logger,
  ends: (() => Promise<unknown>)[],
  isDraining: () => boolean,
): Promise<string> {
  const metrics = createMetrics();
  const repository = await scanModels(config.modelsDir);
  const server = await openDatabaseServer({
    ...config,
    purpose: 'npm start',
    onLoss: (error) => log.error({ err: error }, 'the embedded Postgres ended'),
  });
  ends.push(() => server.stop());
  log.info(`database: ${server.description}`);
  await migrate(server.connection);

  const database = createPool({
    connection: server.connection,
    size: config.databasePoolSize,
    onStatement: metrics.onStatement,
  });
  ends.push(() => database.close());
  metrics.watchPool(database);

  const inference = await createWorkerEngine({
    repository,
    onBatch: metrics.onBatch,
    onWorkerExit: (reason) => log.error({ reason }, 'an inference worker ended and is replaced'),
    ...(config.inferenceWorkers !== undefined && { workers: config.inferenceWorkers }),
  });
  ends.push(() => inference.close());
  for (const failure of inference.failures()) log.error(failure, 'a model version could not be loaded');

  const predictions = createPredictionRecorder({
    database,
    onError: (error) => log.error({ err: error }, 'predictions could not be recorded'),
  });
  ends.push(() => predictions.flush());
  metrics.watchPredictions(predictions);

  if (config.environment !== 'production') {
    const demo = await seedDemoOnce({ database, inference, now: new Date() });
    if (demo === 'seeded') log.info('filled in the demo data');
  }

  const app = createApp({
    dependencies: {
      database,
      analyticsDatabase: database,
      inference,
      predictions,
      authenticate: createDemoAuthenticator(database),
    },
    log,
    registry: metrics.registry,
    settings: config,
  });
  const listener = createListener({
    graphql: app,
    readiness: createReadiness(database, inference, isDraining),
    registry: metrics.registry,
    servesMetrics: config.metricsPort === undefined,
  });
  if (config.metricsPort !== undefined) {
    const { server: metricsServer } = await listen(
      createMetricsListener(metrics.registry),
      config.host,
      config.metricsPort,
    );
    ends.push(() => closeServer(metricsServer));
  }
  const { server: httpServer, port } = await listen(listener, config.host, config.port);
  ends.push(() => closeServer(httpServer));
  return `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`;
}

function scanModels(directory: string): ReturnType<typeof scanModelRepository> {
  return scanModelRepository(directory).catch((error: unknown) => {
    throw new StartupError(
      `MODELS_DIR is "${directory}": expected a folder that can be read (${(error as Error).message})`,
    );
  });
}

/** Finishes what is in flight, within a limit. */
async function closeServer(server: Awaited<ReturnType<typeof listen>>['server']): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeIdleConnections();
  const limit = setTimeout(() => server.closeAllConnections(), drainMs);
  await closed;
  clearTimeout(limit);
}

/** One line for a fault of the set-up, the stack for one of ours. */
function explain(error: unknown, config: Config): string {
  if (!(error instanceof Error)) return String(error);
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE') return `PORT ${config.port} on ${config.host} is taken: stop what uses it, or set PORT`;
  const isExpected = error instanceof StartupError || ['MigrationError', 'EmbeddedPostgresError'].includes(error.name);
  if (isExpected) return message;
  if (code === 'ECONNREFUSED' || code === 'ENOTFOUND') return `DATABASE_URL: nobody answers there (${message})`;
  return error.stack ?? message;
}

/** Settings come first: while they are wrong there is nothing to end. */
function readConfigOrExit(): Config {
  try {
    return readConfig();
  } catch (error) {
    if (!(error instanceof StartupError)) throw error;
    console.error(error.message);
    process.exit(1);
  }
}

await main(readConfigOrExit());
