import type { Database } from '../../db/database.ts';
import type { PredictionRecord, PredictionSink } from '../../inference/prediction-sink.ts';
import { insertPredictions } from './queries.ts';

const flushAfterMs = 200;
const maxQueued = 5_000;
const maxPerStatement = 500;

export interface PredictionRecorder extends PredictionSink {
  /** Records that found the queue full, since the start. */
  readonly dropped: number;
  /** Resolves when all that was recorded so far is stored. */
  flush(): Promise<void>;
}

export interface PredictionRecorderOptions {
  database: Database;
  onError(error: unknown): void;
}

/**
 * Stores predictions in bulk behind a bounded queue, so that no request waits for it: a full queue or a failing
 * database drops records and counts them.
 */
export function createPredictionRecorder({ database, onError }: PredictionRecorderOptions): PredictionRecorder {
  let queue: (PredictionRecord & { createdAt: string })[] = [];
  let dropped = 0;
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();

  async function writeQueue(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    while (queue.length > 0) {
      const records = queue.slice(0, maxPerStatement);
      queue = queue.slice(maxPerStatement);
      try {
        await insertPredictions(database, records);
      } catch (error) {
        dropped += records.length;
        onError(error);
      }
    }
  }

  function flush(): Promise<void> {
    writing = writing.then(writeQueue);
    return writing;
  }

  return {
    get dropped() {
      return dropped;
    },
    record(prediction) {
      if (queue.length >= maxQueued) {
        dropped += 1;
        return;
      }
      queue.push({ ...prediction, createdAt: new Date().toISOString() });
      timer ??= setTimeout(flush, flushAfterMs).unref();
    },
    flush,
  };
}
