import type { Pool } from '../db/database.ts';
import type { InferenceEngine } from '../inference/engine.ts';
import type { Readiness } from './listener.ts';

/** Ready while the database answers; models that failed to load are named but do not take the rest down. */
export function createReadiness(
  database: Pick<Pool, 'isAnswering'>,
  inference: InferenceEngine,
  isDraining: () => boolean,
) {
  return async (): Promise<Readiness> => {
    const isUp = await database.isAnswering();
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
