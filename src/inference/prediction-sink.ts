import type { Precision } from './manifest.ts';

/** One call of a model for one organization, as it is kept. */
export interface PredictionRecord {
  organizationId: string;
  model: string;
  version: string;
  precision: Precision;
  latencyMs: number;
  /** Rows the call asked for. */
  batchSize: number;
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
