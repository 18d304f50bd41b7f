import type { Logger } from 'pino';
import type { Config } from './config.ts';
import { StartupError } from './errors.ts';
import type { InferenceEngine } from './inference/engine.ts';
import type { ExecutionProvider } from './inference/execution-providers.ts';
import { createRemoteEngine } from './inference/remote-engine.ts';
import { scanManifests, scanModelRepository } from './inference/repository.ts';
import { watchModels } from './inference/repository-watch.ts';
import { createWorkerEngine } from './inference/worker-engine.ts';
import type { Shutdown } from './shutdown.ts';
import type { Metrics } from './telemetry/metrics.ts';

/** What a process that predicts has made before. */
export interface EngineOptions {
  config: Config;
  log: Logger;
  metrics: Metrics;
  shutdown: Shutdown;
}

/**
 * The engine of the settings: models in threads of this process, or with INFERENCE_URL on a server elsewhere.
 * @throws StartupError when the folder of models cannot be read
 */
export async function openEngine(options: EngineOptions): Promise<InferenceEngine> {
  const { inferenceUrl: url } = options.config;
  return url === undefined ? openWorkerEngine(options) : openRemoteEngine(options, url);
}

/**
 * The models of MODELS_DIR in threads of this process, kept up to date with the folder.
 * @throws StartupError when the folder cannot be read
 */
export async function openWorkerEngine({ config, log, metrics, shutdown }: EngineOptions): Promise<InferenceEngine> {
  const { modelsDir: directory, modelsPollMs: pollMs } = config;
  const repository = await readable(directory, scanModelRepository(directory));
  const engine = await createWorkerEngine({
    repository,
    executionProviders: config.executionProviders as ExecutionProvider[],
    onProviderSkipped: (reason) => log.warn({ reason }, 'an execution provider cannot be used'),
    onBatch: metrics.onBatch,
    onWorkerExit: (reason) => log.error({ reason }, 'an inference worker ended and is replaced'),
    ...(config.inferenceWorkers !== undefined && { workers: config.inferenceWorkers }),
  });
  shutdown.onEnd(() => engine.close());
  const watch = watchModels({
    directory,
    pollMs,
    engine,
    repository,
    onSwap: ({ failed, ...changes }) => {
      log.info(changes, 'other model versions are served');
      for (const failure of failed) log.error(failure, 'a model version could not be loaded');
    },
    onProblem: (error) => log.error({ err: error }, 'the model versions stay as they are'),
  });
  shutdown.onEnd(async () => watch.close());
  reportVersions(engine, { log, metrics });
  return engine;
}

async function openRemoteEngine({ config, log, metrics, shutdown }: EngineOptions, url: string) {
  const engine = await createRemoteEngine({
    url,
    repository: await readable(config.modelsDir, scanManifests(config.modelsDir)),
    onBatch: metrics.onBatch,
    onAvailability: (isUp, error) => {
      if (isUp) log.info('the inference server answers');
      else log.error({ err: error }, 'the inference server does not answer');
    },
  });
  shutdown.onEnd(() => engine.close());
  reportVersions(engine, { log, metrics });
  return engine;
}

function reportVersions(engine: InferenceEngine, { log, metrics }: Pick<EngineOptions, 'log' | 'metrics'>): void {
  metrics.watchVersions(engine);
  const names = engine.versions().map((each) => `${each.name}/${each.version} on ${each.executionProvider}`);
  log.info({ models: names }, 'models are loaded');
  for (const failure of engine.failures()) log.error(failure, 'a model version could not be loaded');
}

function readable<Read>(directory: string, reading: Promise<Read>): Promise<Read> {
  return reading.catch((error: Error) => {
    throw new StartupError(`MODELS_DIR is "${directory}": expected a folder that can be read (${error.message})`);
  });
}
