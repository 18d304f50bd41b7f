/**
 * Energy forecast of a site: what goes into the model (its recent load and calendar) and what its output means. Pure;
 * the same code builds the training rows. Every row is normalised by its own past, so any scale of load will do.
 */
import { flagLocalDates, toLocalTime } from './forecast-calendar.ts';

/** Steps of a model: their length, how many it looks back, how many it forecasts in one run. */
export interface ForecastShape {
  stepMinutes: number;
  lookbackSteps: number;
  horizonSteps: number;
}
/** A site at the start of a forecast. */
export interface ForecastSite {
  /** [lookbackSteps] loads up to the start, oldest first, without gaps. */
  history: Float64Array;
  startUtcMs: number;
  /** IANA name. */
  timeZone: string;
  /** Local dates, ISO 8601; empty when unknown. */
  holidays: ReadonlySet<string>;
}
/** One row for the model, and what turns its output back into loads. */
export interface ForecastInput {
  /** [forecastFeatureCount(shape)] */
  features: Float32Array;
  level: number;
  scale: number;
  /** The site never fed power back in its history, so it is not forecast to. */
  isNonNegative: boolean;
}
/** Load of one step, in the history's unit; p10 <= p50 <= p90. */
export interface ForecastStep {
  p10: number;
  p50: number;
  p90: number;
}
/** How much wider the band is on each day ahead than the model's own: one factor a day, the first is 1. */
export interface BandGrowth {
  lower: readonly number[];
  upper: readonly number[];
}

/** The served model: hourly, a week back, a day ahead. */
export const hourlyShape: ForecastShape = { stepMinutes: 60, lookbackSteps: 168, horizonSteps: 24 };
/** The model's output is [quantiles, horizonSteps], in this order. */
export const forecastQuantiles = [0.1, 0.5, 0.9] as const;
/** Longest forecast: beyond it the medians fed back hold little of the site's own load. */
export const maxForecastDays = 7;

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayHarmonics = 4;
const yearHarmonics = 2;
const pastHolidayHours = Array.from({ length: 14 }, (_, i) => (i - 14) * 12);
const targetHolidayHours = Array.from({ length: 8 }, (_, i) => i * 3);
// Loads further from the last one than this many standard deviations are faults, not demand.
const largestFeature = 12;
// A history flatter than this share of its level is noise of the meter.
const smallestScaleShare = 1e-4;

/** Length of ForecastInput.features. */
export function forecastFeatureCount(shape: ForecastShape): number {
  const calendar = 2 * dayHarmonics + 2 * yearHarmonics + 7;
  return shape.lookbackSteps + calendar + pastHolidayHours.length + targetHolidayHours.length;
}

/** The model's row for a site. Throws a RangeError for a history of the wrong length or with a value not finite. */
export function buildForecastInput(site: ForecastSite, shape: ForecastShape = hourlyShape): ForecastInput {
  const { history } = site;
  if (history.length !== shape.lookbackSteps || !history.every(Number.isFinite)) {
    throw new RangeError(`expected a history of ${shape.lookbackSteps} finite loads, got ${history.length} values`);
  }
  const level = history.at(-1)!;
  const scale = measureScale(history);
  const features = new Float32Array(forecastFeatureCount(shape));
  for (let i = 0; i < history.length; i++) {
    const feature = scale === 0 ? 0 : (history[i]! - level) / scale;
    features[i] = Math.max(-largestFeature, Math.min(largestFeature, feature));
  }
  writeCalendar(features, history.length, site);
  return { features, level, scale, isNonNegative: history.every((load) => load >= 0) };
}

/** Loads of each step from a row of the model's output, [quantiles, horizonSteps], and the row's input. */
export function readForecast(output: ArrayLike<number>, input: ForecastInput): ForecastStep[] {
  const horizon = output.length / forecastQuantiles.length;
  const lowest = input.isNonNegative ? 0 : Number.NEGATIVE_INFINITY;
  return Array.from({ length: horizon }, (_, step) => {
    const loads = forecastQuantiles.map((_, quantile) => {
      return Math.max(lowest, input.level + input.scale * output[quantile * horizon + step]!);
    });
    const [p10, p50, p90] = loads.sort((a, b) => a - b) as [number, number, number];
    return { p10, p50, p90 };
  });
}

/** Moves a site past forecast steps: their medians become its latest history. */
export function advanceSite(site: ForecastSite, steps: readonly ForecastStep[], stepMinutes: number): ForecastSite {
  const history = new Float64Array(site.history.length);
  const medians = Float64Array.from(steps, (step) => step.p50);
  history.set(site.history.subarray(medians.length));
  history.set(medians, history.length - medians.length);
  return { ...site, history, startUtcMs: site.startUtcMs + steps.length * stepMinutes * minuteMs };
}

/** Steps with the distance from median to either end of the band multiplied by the growth of a day (0 is the first). */
export function widenBand(steps: readonly ForecastStep[], day: number, growth: BandGrowth): ForecastStep[] {
  const lower = growth.lower[day] ?? growth.lower.at(-1) ?? 1;
  const upper = growth.upper[day] ?? growth.upper.at(-1) ?? 1;
  return steps.map(({ p10, p50, p90 }) => {
    const widened = p50 - lower * (p50 - p10);
    return { p10: p10 >= 0 ? Math.max(0, widened) : widened, p50, p90: p50 + upper * (p90 - p50) };
  });
}

/**
 * Forecasts several sites over several days, a day at a time: yields the inputs of all sites (one batch for the
 * model), takes their output rows in the same order, and in the end returns each site's steps. Each day starts from
 * the medians of the day before; its band is widened by the day's growth, as measured on validation data.
 */
export function* forecastDays(
  sites: readonly ForecastSite[],
  days: number,
  growth: BandGrowth,
  shape: ForecastShape = hourlyShape,
): Generator<ForecastInput[], ForecastStep[][], readonly ArrayLike<number>[]> {
  if (!Number.isInteger(days) || days < 1 || days > maxForecastDays) {
    throw new RangeError(`expected 1 to ${maxForecastDays} days, got ${days}`);
  }
  let current = sites;
  const forecasts = sites.map((): ForecastStep[] => []);
  for (let day = 0; day < days; day++) {
    const inputs = current.map((site) => buildForecastInput(site, shape));
    const outputs = yield inputs;
    const steps = inputs.map((input, i) => readForecast(outputs[i]!, input));
    steps.forEach((own, i) => {
      forecasts[i]!.push(...widenBand(own, day, growth));
    });
    current = current.map((site, i) => advanceSite(site, steps[i]!, shape.stepMinutes));
  }
  return forecasts;
}

/** Standard deviation of the history, at least a little of its level; 0 if there is no finite one. */
function measureScale(history: Float64Array): number {
  const average = history.reduce((sum, load) => sum + load / history.length, 0);
  const variance = history.reduce((sum, load) => sum + (load - average) ** 2 / history.length, 0);
  const scale = Math.max(Math.sqrt(variance), smallestScaleShare * Math.abs(average));
  return Number.isFinite(scale) && Number.isFinite(1 / scale) ? scale : 0;
}

function writeCalendar(features: Float32Array, offset: number, site: ForecastSite): void {
  const { hourOfDay, dayOfWeek, dayOfYear } = toLocalTime(site.startUtcMs, site.timeZone);
  let at = offset;
  at = writeHarmonics(features, at, hourOfDay / 24, dayHarmonics);
  at = writeHarmonics(features, at, dayOfYear / 365.25, yearHarmonics);
  features[at + dayOfWeek] = 1;
  at += 7;
  const hours = [...pastHolidayHours, ...targetHolidayHours];
  const instants = hours.map((hour) => site.startUtcMs + hour * hourMs);
  flagLocalDates(instants, site.timeZone, site.holidays).forEach((isHoliday, i) => {
    features[at + i] = isHoliday ? 2 : 0;
  });
}

/** Sine and cosine of 1, 2 ... turns; returns the index behind them. */
function writeHarmonics(features: Float32Array, offset: number, turns: number, count: number): number {
  for (let k = 1; k <= count; k++) {
    features[offset + 2 * k - 2] = Math.sin(2 * Math.PI * k * turns);
    features[offset + 2 * k - 1] = Math.cos(2 * Math.PI * k * turns);
  }
  return offset + 2 * count;
}
