/** `npm run inference`: the models of MODELS_DIR over the Open Inference Protocol, without a database. */
import { setTimeout as pause } from 'node:timers/promises';
import packageJson from '../package.json' with { type: 'json' };
import type { Config } from './config.ts';
import { explainFailure, readConfigOrExit } from './explain-failure.ts';
import { createDrain } from './http/drain.ts';
import { listen } from './http/listener.ts';
import { createInferenceListener } from './inference/protocol/server.ts';
import { openWorkerEngine } from './open-engine.ts';
import { createShutdown } from './shutdown.ts';
import { createLog } from './telemetry/log.ts';
import { createMetrics } from './telemetry/metrics.ts';

async function main(config: Config): Promise<void> {
  const log = await createLog(config.logLevel);
  const metrics = createMetrics();
  const shutdown = createShutdown(log, config.drainDelayMs + config.drainTimeoutMs);
  try {
    const engine = await openWorkerEngine({ config, log, metrics, shutdown });
    const listener = createInferenceListener({
      engine,
      registry: metrics.registry,
      version: packageJson.version,
      isDraining: () => shutdown.hasBegun,
      onError: (error) => log.error({ err: error }, 'an inference request failed'),
    });
    const { server, port } = await listen(listener, config.host, config.inferencePort);
    const drain = createDrain(server);
    shutdown.onDrain(async (reason) => {
      // Not ready any more, but still serving until load balancers have seen it.
      if (reason === 'deploy') await pause(config.drainDelayMs);
      const cutOff = await drain.begin({ timeoutMs: config.drainTimeoutMs });
      if (cutOff > 0) log.warn({ cutOff }, 'requests were cut off at the end');
    });
    const host = config.host.includes(':') ? `[${config.host}]` : config.host;
    log.info(`Open Inference Protocol at http://${host}:${port}/v2`);
  } catch (error) {
    if (shutdown.hasBegun) return;
    console.error(explain(error, config));
    await shutdown.begin('fault');
  }
}

function explain(error: unknown, { host, inferencePort }: Config): string {
  const isTaken = (error as NodeJS.ErrnoException | null)?.code === 'EADDRINUSE';
  return isTaken
    ? `INFERENCE_PORT ${inferencePort} on ${host} is taken: stop what uses it, or set INFERENCE_PORT`
    : explainFailure(error);
}

await main(readConfigOrExit('models'));
