import type { Context } from '../../context.ts';
import { badUserInput, publicError } from '../../errors.ts';
import { InferenceError, type LoadedVersion } from '../../inference/engine.ts';
import type { ForecastRecord } from '../../inference/prediction-sink.ts';
import { type BandGrowth, type ForecastShape, type ForecastSite, type ForecastStep, forecastDays } from './forecast.ts';
import { ForecastHistoryError, fillHistory } from './forecast-history.ts';
import { type ModelVersionEntry, toEntry } from './models.ts';
import { type HistoryHour, listForecastHistory } from './queries.ts';
import { type Predict, type ServingContext, serveCall, servingVersion } from './serving.ts';
import { agreeOnForecast } from './shadow-agreement.ts';
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

type ForecastContext = Pick<Context, 'database'> & ServingContext;

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
  const version = servingVersion(context, organizationId, 'FORECAST');
  const siteIds = sites.map((site) => site.id);
  const rows = await listForecastHistory(context.database, organizationId, siteIds, {
    from: wish.from,
    hours: historyHours,
  });
  const rowsBySite = Map.groupBy(rows, (row) => row.siteId);
  const starts = sites.map((site) => toForecastSite(site, rowsBySite.get(site.id) ?? [], wish));
  const ready = sites.flatMap((site, index) => {
    const start = starts[index]!;
    return start instanceof Error ? [] : [{ site, start }];
  });
  if (ready.length === 0) return starts as Error[];
  const toForecasts = (steps: readonly (readonly ForecastStep[] | Error)[]) =>
    ready.map(({ site, start }, index) => toForecast(site, start, steps[index]!, version));
  const steps = await serveCall<readonly ForecastStep[]>(context, {
    organizationId,
    version,
    batchSize: ready.length,
    run: async (asked, predict) => {
      const days = await runDays(
        asked,
        ready.map(({ start }) => start),
        wish.horizon,
        predict,
      );
      return days.map((own) => own.slice(0, wish.horizon));
    },
    agree: agreeOnForecast,
    toPoints: (answers) => toForecasts(answers).flatMap(toRecords),
  });
  const forecasts = toForecasts(steps);
  let next = 0;
  return starts.map((start) => (start instanceof Error ? start : forecasts[next++]!));
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
  { manifest: { inputs, outputs, options } }: LoadedVersion,
  sites: readonly ForecastSite[],
  horizon: number,
  predict: Predict,
): Promise<ForecastStep[][]> {
  const { bandGrowth, ...shape } = options as unknown as ForecastShape & { bandGrowth: BandGrowth };
  const days = forecastDays(sites, Math.ceil(horizon / dayHours), bandGrowth, shape);
  for (let day = days.next(); ; ) {
    if (day.done) return day.value;
    const rows = day.value.map(({ features }) => ({ [inputs[0]!.name]: { data: features, dims: [features.length] } }));
    const results = await predict(rows);
    day = days.next(
      results.map((result) => {
        if (result instanceof InferenceError) throw result;
        return result.outputs[outputs[0]!.name]!.data as Float32Array;
      }),
    );
  }
}

function toForecast(
  site: Site,
  start: ForecastSite,
  steps: readonly ForecastStep[] | Error,
  version: LoadedVersion,
): Forecast | Error {
  if (steps instanceof Error) return steps;
  const timeOf = (step: number) => new Date(start.startUtcMs + step * hourMs).toISOString();
  return {
    site,
    modelVersion: toEntry(version),
    issuedAt: timeOf(0),
    points: steps.map((step, index) => ({ ...step, at: timeOf(index) })),
  };
}

/** Forecasts are kept to be compared with the readings that come. */
function toRecords(forecast: Forecast | Error): ForecastRecord[] {
  if (forecast instanceof Error) return [];
  return forecast.points.map((point) => ({ siteId: forecast.site.id, issuedAt: forecast.issuedAt, ...point }));
}
