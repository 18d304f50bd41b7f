import type { Precision } from './manifest.ts';

/** Why a version gave no answer to a call that was good: its run failed, or was not done in time. */
export type PredictionFailure = 'FAILED' | 'TIMEOUT';

/** One call of a model for one organization, as it is kept. */
export interface PredictionRecord {
  organizationId: string;
  model: string;
  version: string;
  precision: Precision;
  latencyMs: number;
  /** Rows the call asked for. */
  batchSize: number;
  /** Rows of them that came from the cache. */
  cacheHits: number;
  /** null: it gave an answer. */
  error: PredictionFailure | null;
  /** The version whose answer the viewer got, of a call that ran beside it; null: the viewer got this one's. */
  shadowOf: string | null;
  /** Rows on which a shadow agreed with that answer; null: it gave none, or is no shadow. */
  agreedRows: number | null;
  /** What a forecast said, to be compared with what came. */
  points?: readonly ForecastRecord[];
}

/** A forecast hour of a site; times are ISO-8601. */
export interface ForecastRecord {
  siteId: string;
  issuedAt: string;
  at: string;
  p10: number;
  p50: number;
  p90: number;
}

/** Takes records without making the caller wait; when it cannot keep up it drops records, never requests. */
export interface PredictionSink {
  record(prediction: PredictionRecord): void;
}
