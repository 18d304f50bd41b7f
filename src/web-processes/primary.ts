/** The process that starts, replaces and ends all others of a server with several web processes; it answers no request. */
import { closeSync, openSync } from 'node:fs';
import { isatty } from 'node:tty';
import type { Logger } from 'pino';
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Config } from '../config.ts';
import { readConnectionLimit } from '../db/connection-limit.ts';
import { migrate } from '../db/migrate.ts';
import type { DatabaseServer } from '../db/server.ts';
import { explainStart } from '../explain-failure.ts';
import { createMetricsListener, listen } from '../http/listener.ts';
import { openMigratedDatabase } from '../open-database.ts';
import { createShutdown, type Shutdown } from '../shutdown.ts';
import { GatheredFigures } from './gathered-figures.ts';
import { InferenceProcess } from './inference-process.ts';
import { EndedAtStart, onEnd } from './messages.ts';
import { WebProcesses } from './web-processes.ts';

interface Primary {
  config: Config;
  log: Logger;
  shutdown: Shutdown;
  /** Milliseconds until the end of a process is forced: its own limit has passed by then. */
  endLimitMs: number;
}

/** Starts a server of several processes, and runs until a signal. SIGHUP replaces its web processes. */
export async function runPrimary(config: Config, log: Logger): Promise<void> {
  const endLimitMs = config.drainDelayMs + config.drainTimeoutMs + 35_000;
  // The web processes first, then that of the models.
  const shutdown = createShutdown(log, 2 * endLimitMs, { SIGTERM: 'deploy', SIGINT: 'person' });
  const hangUp = onHangUp(shutdown);
  try {
    const { origin, server, web } = await start({ config, log, shutdown, endLimitMs });
    log.info(`GraphQL and GraphiQL at ${origin}/graphql, by ${web.serving} processes`);
    hangUp.replace = () => replaceAll(server, web, log);
  } catch (error) {
    if (shutdown.hasBegun) return;
    if (!(error instanceof EndedAtStart)) console.error(explainStart(error, config));
    await shutdown.begin('fault');
  }
}

async function start(given: Primary): Promise<{ origin: string; server: DatabaseServer; web: WebProcesses }> {
  const { config, log, shutdown, endLimitMs } = given;
  const port = await findPort(config);
  const server = await openMigratedDatabase(given);
  await warnOfConnections(server, given);
  const { registry, onExit, watch } = createFigures();
  const figures = new GatheredFigures(registry);
  const inference = new InferenceProcess({
    endLimitMs,
    log,
    onStart(child) {
      figures.add(child, 'inference');
      onEnd(child, () => onExit('inference'));
    },
  });
  if (config.inferenceUrl === undefined) {
    shutdown.onEnd(() => inference.end('person'));
    await inference.start();
  }
  const web = new WebProcesses({
    count: config.webProcesses,
    environment: { PORT: String(port), INFERENCE_URL: config.inferenceUrl ?? inference.url },
    endLimitMs,
    log,
    onStart(child) {
      figures.add(child, null);
      onEnd(child, () => onExit('web'));
    },
  });
  watch(web);
  shutdown.onDrain((reason) => web.end(reason));
  if (config.metricsPort !== undefined) {
    const { server: metrics } = await listen(createMetricsListener(figures), config.host, config.metricsPort);
    shutdown.onEnd(async () => {
      metrics.close();
      metrics.closeAllConnections();
    });
  }
  await web.start();
  return { origin: `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`, server, web };
}

/** Known before anything starts, as all processes, also those of later, have to listen on the same one. */
async function findPort({ host, port }: Config): Promise<number> {
  const { server, port: found } = await listen(() => {}, host, port);
  await new Promise((resolve) => server.close(resolve));
  return found;
}

async function warnOfConnections(server: DatabaseServer, { config, log }: Primary): Promise<void> {
  const { webProcesses, databasePoolSize, analyticsPoolSize } = config;
  // And one for the log of changes. While processes are replaced there is one more of them.
  const most = (webProcesses + 1) * (databasePoolSize + analyticsPoolSize + 1);
  const limit = await readConnectionLimit(server.connection);
  if (most <= limit) return;
  log.warn(
    { webProcesses, mostConnections: most, limit },
    'the pools of all processes may want more connections than the database grants: set DATABASE_POOL lower, or its max_connections higher',
  );
}

/** Of new code, when there is some: its migrations come first. */
async function replaceAll(server: DatabaseServer, web: WebProcesses, log: Logger): Promise<void> {
  try {
    await migrate(server.connection);
    await web.replaceAll();
  } catch (error) {
    log.error({ err: error }, 'the web processes could not be replaced: they stay as they are');
  }
}

/** SIGHUP does nothing until there is something to replace, and ends a server whose terminal has gone. */
function onHangUp(shutdown: Shutdown): { replace(): Promise<void> } {
  const action = { replace: async () => {} };
  const hadTerminal = isatty(0);
  process.on('SIGHUP', () => {
    if (hadTerminal && !hasTerminal()) void shutdown.begin('person');
    else if (!shutdown.hasBegun) void action.replace();
  });
  return action;
}

function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}

function createFigures() {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry, labels: { process: 'primary' } });
  const exits = new Counter({
    name: 'tributary_process_exits_total',
    help: 'Processes that have ended, for whatever reason, by what they did.',
    labelNames: ['kind'],
    registers,
  });
  return {
    registry,
    onExit: (kind: 'inference' | 'web') => exits.inc({ kind }),
    watch: (web: Pick<WebProcesses, 'serving'>) =>
      new Gauge({
        name: 'tributary_web_processes',
        help: 'Web processes that serve.',
        registers,
        collect() {
          this.set(web.serving);
        },
      }),
  };
}
