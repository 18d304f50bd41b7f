import type { Context } from '../../context.ts';
import { badUserInput, publicError } from '../../errors.ts';
import { InferenceError, type LoadedVersion } from '../../inference/engine.ts';
import type { ForecastRecord } from '../../inference/prediction-sink.ts';
import {
  type BandGrowth,
  type ForecastInput,
  type ForecastShape,
  type ForecastSite,
  type ForecastStep,
  forecastDays,
} from './forecast.ts';
import { ForecastHistoryError, fillHistory } from './forecast-history.ts';
import { type ModelVersionEntry, servingVersion, toEntry, toPublicError } from './models.ts';
import { type HistoryHour, listForecastHistory } from './queries.ts';
import type { Site } from './tables.ts';

export interface Forecast {
  site: Site;
  modelVersion: ModelVersionEntry;
  /** ISO-8601; the start of the first hour: readings before it were known. */
  issuedAt: string;
  points: (ForecastStep & { at: string })[];
}

export interface ForecastWish {
  /** Hours ahead, 1 to 168. */
  horizon: number;
  /** ISO-8601; null: the hour after the last reading of each site. */
  from: string | null;
}

const hourMs = 3_600_000;
const dayHours = 24;
/** Two weeks, so that gaps of the last week can be filled from the one before. */
const historyHours = 336;

type ForecastContext = Pick<Context, 'database' | 'inference' | 'predictions' | 'signal'>;

/**
 * Forecasts of sites in their order: one statement for all histories and one batch for each day ahead.
 * A site that cannot be forecast is an Error in its place (too few readings, or a start its readings do not reach).
 */
export async function forecastSites(
  context: ForecastContext,
  organizationId: string,
  sites: readonly Site[],
  wish: ForecastWish,
): Promise<(Forecast | Error)[]> {
  const version = servingVersion(context.inference, 'FORECAST');
  const siteIds = sites.map((site) => site.id);
  const rows = await listForecastHistory(context.database, organizationId, siteIds, {
    from: wish.from,
    hours: historyHours,
  });
  const rowsBySite = Map.groupBy(rows, (row) => row.siteId);
  const starts = sites.map((site) => toForecastSite(site, rowsBySite.get(site.id) ?? [], wish));
  const ready = starts.filter((start): start is ForecastSite => !(start instanceof Error));
  if (ready.length === 0) return starts as Error[];
  const startedAt = performance.now();
  const steps = await runDays(context, version, ready, wish.horizon);
  const latencyMs = performance.now() - startedAt;
  const stepsBySite = new Map(ready.map((start, index) => [start, steps[index]!.slice(0, wish.horizon)]));
  const forecasts = starts.map((start, index) =>
    start instanceof Error ? start : toForecast(sites[index]!, start, stepsBySite.get(start)!, version),
  );
  const { name: model, version: versionName, precision } = version;
  const points = forecasts.flatMap(toRecords);
  context.predictions.record({
    organizationId,
    model,
    version: versionName,
    precision,
    latencyMs,
    batchSize: ready.length,
    points,
  });
  return forecasts;
}

function toForecastSite(site: Site, rows: readonly HistoryHour[], wish: ForecastWish): ForecastSite | Error {
  const [first] = rows;
  if (!first) return publicError('NOT_FOUND', `no readings of ${site.name} to forecast from`);
  const { startsAtMs, latestStartMs } = first;
  if (wish.from !== null && Date.parse(wish.from) >= latestStartMs + hourMs) {
    const latest = new Date(latestStartMs).toISOString();
    return badUserInput({
      path: 'from',
      message: `expected a time up to ${latest}, the hour after the last reading of ${site.name}`,
    });
  }
  const loads = new Float64Array(historyHours).fill(Number.NaN);
  for (const { hourMs: at, loadMw } of rows) {
    if (at !== null && loadMw !== null) loads[historyHours - (startsAtMs - at) / hourMs] = loadMw;
  }
  try {
    const history = fillHistory(loads);
    return { history, startUtcMs: startsAtMs, timeZone: site.timeZone, holidays: new Set(site.holidays) };
  } catch (error) {
    if (!(error instanceof ForecastHistoryError)) throw error;
    return publicError('NOT_FOUND', `too few readings of ${site.name}: ${error.message}`);
  }
}

async function runDays(
  context: ForecastContext,
  version: LoadedVersion,
  sites: readonly ForecastSite[],
  horizon: number,
): Promise<ForecastStep[][]> {
  const { bandGrowth, ...shape } = version.manifest.options as unknown as ForecastShape & { bandGrowth: BandGrowth };
  const days = forecastDays(sites, Math.ceil(horizon / dayHours), bandGrowth, shape);
  for (let day = days.next(); ; ) {
    if (day.done) return day.value;
    day = days.next(await runDay(context, version, day.value));
  }
}

async function runDay(
  { inference, signal }: ForecastContext,
  version: LoadedVersion,
  inputs: readonly ForecastInput[],
) {
  const { inputs: inputSpecs, outputs: outputSpecs } = version.manifest;
  const rows = inputs.map(({ features }) => ({ [inputSpecs[0]!.name]: { data: features, dims: [features.length] } }));
  const request = { model: version.name, version: version.version, rows, signal };
  const results = await inference.predict(request).catch((error: unknown) => {
    throw toPublicError(error);
  });
  return results.map((result) => {
    if (result instanceof InferenceError) throw toPublicError(result);
    return result.outputs[outputSpecs[0]!.name]!.data as Float32Array;
  });
}

function toForecast(site: Site, start: ForecastSite, steps: readonly ForecastStep[], version: LoadedVersion): Forecast {
  const timeOf = (step: number) => new Date(start.startUtcMs + step * hourMs).toISOString();
  return {
    site,
    modelVersion: toEntry(version, true),
    issuedAt: timeOf(0),
    points: steps.map((step, index) => ({ ...step, at: timeOf(index) })),
  };
}

/** Forecasts are kept to be compared with the readings that come. */
function toRecords(forecast: Forecast | Error): ForecastRecord[] {
  if (forecast instanceof Error) return [];
  return forecast.points.map((point) => ({ siteId: forecast.site.id, issuedAt: forecast.issuedAt, ...point }));
}
