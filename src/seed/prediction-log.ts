import type { Database } from '../db/database.ts';
import { forecastPoints, type Prediction, predictions } from '../domains/predictions/tables.ts';
import type { PredictionRecord, PredictionSink } from '../inference/prediction-sink.ts';
import { createSeededIds, isoTime } from './ids.ts';
import { insertRows } from './queries.ts';

/**
 * Collects the calls of models that a seed really makes, to be stored as of the times they stand for.
 * Their latency is measured, the one thing in a seed that differs from run to run.
 */
export interface PredictionLog extends PredictionSink {
  /** The time that calls recorded from now on stand for. */
  setTime(epochMs: number): void;
  store(database: Database): Promise<void>;
}

export function createPredictionLog(seed: string, startMs: number): PredictionLog {
  const newId = createSeededIds(`predictions of ${seed}`);
  const rows: Prediction[] = [];
  const points: (typeof forecastPoints.$inferSelect)[] = [];
  let atMs = startMs;
  return {
    setTime: (epochMs) => {
      atMs = epochMs;
    },
    record: ({ points: recordPoints = [], ...call }: PredictionRecord) => {
      const { organizationId, model, version } = call;
      rows.push({ ...call, id: newId(atMs), createdAt: isoTime(atMs) });
      points.push(...recordPoints.map((point) => ({ organizationId, model, version, ...point })));
    },
    store: async (database) => {
      await insertRows(database, predictions, rows);
      await insertRows(database, forecastPoints, points);
    },
  };
}
