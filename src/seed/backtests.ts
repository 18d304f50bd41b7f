import type { Database } from '../db/database.ts';
import { forecastSites } from '../domains/predictions/forecast-sites.ts';
import type { Site } from '../domains/predictions/tables.ts';
import type { InferenceEngine } from '../inference/engine.ts';
import type { PredictionLog } from './prediction-log.ts';

const dayMs = 86_400_000;
/** How far back the forecasts begin. */
export const backtestDays = 45;
const horizon = 24;

/**
 * What the serving model forecasts for sites at each UTC midnight of the last 45 days, from earlier readings alone,
 * by the code that serves; kept in the log with what it said.
 */
export async function runBacktests(
  { database, inference, log }: { database: Database; inference: InferenceEngine; log: PredictionLog },
  sites: readonly Site[],
  nowMs: number,
): Promise<void> {
  const [first] = sites;
  if (!first || !inference.versions().some((version) => version.task === 'FORECAST')) return;
  const context = { database, inference, predictions: log, signal: new AbortController().signal };
  const lastMidnightMs = Math.floor(nowMs / dayMs) * dayMs;
  for (let day = backtestDays - 1; day >= 0; day--) {
    const startMs = lastMidnightMs - day * dayMs;
    log.setTime(startMs);
    const from = new Date(startMs).toISOString();
    const forecasts = await forecastSites(context, first.organizationId, sites, { horizon, from });
    const failure = forecasts.find((forecast) => forecast instanceof Error);
    if (failure) throw failure;
  }
}
