import type { Database } from '../db/client.ts';
import { isDatabaseUp } from '../db/ping.ts';
import type { InferenceEngine } from '../inference/engine.ts';
import type { Readiness } from './listener.ts';

const pingTimeoutMs = 1_000;

/** Ready while the database answers; models that failed to load are named but do not take the rest down. */
export function createReadiness(database: Database, inference: InferenceEngine, isDraining: () => boolean) {
  return async (): Promise<Readiness> => {
    const isUp = await isDatabaseUp(database, pingTimeoutMs);
    return {
      isReady: isUp && !isDraining(),
      details: {
        database: isUp ? 'up' : 'down',
        models: inference.versions().map(({ name, version }) => `${name}/${version}`),
        failedModels: inference.failures(),
      },
    };
  };
}
