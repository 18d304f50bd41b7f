/**
 * `npm run inference`: the models of MODELS_DIR over the Open Inference Protocol, without a database. With the path of a
 * Unix socket as its argument it serves there the web processes of the primary that has started it.
 */
import { rmSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import packageJson from '../package.json' with { type: 'json' };
import type { Config } from './config.ts';
import { explainFailure, readConfigOrExit } from './explain-failure.ts';
import { createDrain } from './http/drain.ts';
import { listen, listenOnSocket } from './http/listener.ts';
import { createInferenceListener } from './inference/protocol/server.ts';
import { openWorkerEngine } from './open-engine.ts';
import { createShutdown } from './shutdown.ts';
import { createLog } from './telemetry/log.ts';
import { createMetrics } from './telemetry/metrics.ts';
import { followPrimary, tellServing } from './web-processes/child.ts';

async function main(config: Config, socketPath?: string): Promise<void> {
  const log = await createLog(config.logLevel);
  const metrics = createMetrics();
  const hasPrimary = socketPath !== undefined;
  const shutdown = createShutdown(log, config.drainDelayMs + config.drainTimeoutMs, hasPrimary ? {} : undefined);
  if (hasPrimary) {
    followPrimary({ shutdown, registry: metrics.registry });
    // Of a primary that was killed: one that ends in order removes the folder itself.
    process.once('disconnect', () => rmSync(dirname(socketPath), { recursive: true, force: true }));
  }
  try {
    const engine = await openWorkerEngine({ config, log, metrics, shutdown });
    const listener = createInferenceListener({
      engine,
      registry: metrics.registry,
      version: packageJson.version,
      isDraining: () => shutdown.hasBegun,
      onError: (error) => log.error({ err: error }, 'an inference request failed'),
    });
    const { server, url } = await listenWhere(listener, config, socketPath);
    const drain = createDrain(server);
    shutdown.onDrain(async (reason) => {
      // Not ready any more, but still serving until load balancers have seen it.
      if (reason === 'deploy') await pause(config.drainDelayMs);
      const cutOff = await drain.begin({ timeoutMs: config.drainTimeoutMs });
      if (cutOff > 0) log.warn({ cutOff }, 'requests were cut off at the end');
    });
    if (hasPrimary) tellServing();
    else log.info(`Open Inference Protocol at ${url}/v2`);
  } catch (error) {
    if (shutdown.hasBegun) return;
    console.error(explain(error, config));
    await shutdown.begin('fault');
  }
}

async function listenWhere(listener: RequestListener, { host, inferencePort }: Config, socketPath?: string) {
  if (socketPath !== undefined)
    return { server: await listenOnSocket(listener, socketPath), url: `unix:${socketPath}` };
  const { server, port } = await listen(listener, host, inferencePort);
  return { server, url: `http://${host.includes(':') ? `[${host}]` : host}:${port}` };
}

function explain(error: unknown, { host, inferencePort }: Config): string {
  const isTaken = (error as NodeJS.ErrnoException | null)?.code === 'EADDRINUSE';
  return isTaken
    ? `INFERENCE_PORT ${inferencePort} on ${host} is taken: stop what uses it, or set INFERENCE_PORT`
    : explainFailure(error);
}

await main(readConfigOrExit('models'), process.argv[2]);
