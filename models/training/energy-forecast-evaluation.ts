/** Figures of a forecaster: on demand of Victoria that it has not seen, and on series of other kinds. */
import {
  type BandGrowth,
  buildForecastInput,
  type ForecastInput,
  type ForecastShape,
  maxForecastDays,
} from '../../src/domains/predictions/forecast.ts';
import { maxDifference, openSession } from './artifact.ts';
import { type LoadSeries, readEtth1 } from './data-files.ts';
import { readSplit, type TrainedForecaster } from './energy-forecast.ts';
import {
  type ForecastRunner,
  type ForecastScore,
  forecastFrom,
  networkRunner,
  scoreForecasts,
  sessionRunner,
} from './forecast-evaluation.ts';
import { listStarts, siteAt } from './forecast-rows.ts';
import { generatedShapes, generateSeries } from './generated-series.ts';

/** A forecaster on a series that it was not trained on, against repeating last week. */
export interface OtherSeriesScore extends ForecastScore {
  name: string;
  /** Mean absolute error as a share of that of last week's loads. */
  errorShareOfLastWeek: number;
}

const noGrowth: BandGrowth = { lower: [1], upper: [1] };
const longRangeStride = 5;
const otherStride = 7;
const unseenSeed = 77;
const unseenHours = 30 * 168;
const checkedRows = 256;
const checkedAlone = 16;

/** Test figures on the second half of 2014: day ahead, without holidays, and for each day ahead. */
export async function evaluateEnergyForecast(
  dataDirectory: string,
  shape: ForecastShape,
  runner: ForecastRunner,
  growth: BandGrowth,
): Promise<Record<string, number>> {
  const { series, testFrom } = readSplit(dataDirectory, shape);
  const { length } = series.values;
  const starts = listStarts(series, shape, testFrom, length);
  const known = await scoreDayAhead(runner, series, shape, starts);
  const unknown = await scoreDayAhead(runner, { ...series, holidays: new Set() }, shape, starts);
  const metrics: Record<string, number> = {
    mapePercent: known.mape,
    mae: known.mae,
    pinball: known.pinball,
    coverage80: known.coverage,
    mapePercentHolidaysUnknown: unknown.mape,
    coverage80HolidaysUnknown: unknown.coverage,
  };
  const longStarts = thin(
    listStarts(series, shape, testFrom, length, maxForecastDays * shape.horizonSteps),
    longRangeStride,
  );
  const forecasts = await forecastFrom(runner, series, shape, longStarts, maxForecastDays, growth);
  for (let day = 1; day <= maxForecastDays; day++) {
    const [from, to] = [(day - 1) * shape.horizonSteps, day * shape.horizonSteps];
    const own = scoreForecasts(forecasts, series, longStarts, from, to);
    metrics[`mapePercentDay${day}`] = own.mape;
    metrics[`coverage80Day${day}`] = own.coverage;
  }
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name, Number(value.toFixed(4))]));
}

/** Scores on ETTh1's loads (holidays unknown) and on generated series of seeds not trained on; hourly. */
export async function evaluateOtherSeries(dataDirectory: string, runner: ForecastRunner, shape: ForecastShape) {
  const etth1 = readEtth1(dataDirectory);
  const loads = etth1.columns.slice(0, -1).map((values, i) => {
    const series = { startUtcMs: etth1.startUtcMs, stepMinutes: 60, timeZone: 'Asia/Shanghai', values };
    return { name: `ETTh1 ${etth1.names[i]}`, series: { ...series, holidays: new Set<string>() } };
  });
  const generated = generatedShapes.map((kind, i) => {
    return { name: `generated ${kind}`, series: generateSeries(kind, unseenHours, unseenSeed + i) };
  });
  const scores: OtherSeriesScore[] = [];
  for (const { name, series } of [...loads, ...generated]) {
    const starts = thin(listStarts(series, shape, 0, series.values.length), otherStride);
    const score = await scoreDayAhead(runner, series, shape, starts);
    scores.push({ name, ...score, errorShareOfLastWeek: score.mae / lastWeekError(series, shape, starts) });
  }
  return scores;
}

/** Largest difference of the exported model to its network, on rows of the test part. */
export async function measureParity(trained: TrainedForecaster, dataDirectory: string): Promise<number> {
  const { shape, network, onnx } = trained;
  const inputs = readCheckInputs(dataDirectory, shape);
  const expected = await networkRunner(network)(inputs);
  const exported = await sessionRunner(await openSession(onnx))(inputs);
  return Math.max(...expected.map((row, i) => maxDifference(row, exported[i]!)));
}

/** Largest difference of rows run alone to the same rows in a batch. */
export async function measureInvariance(
  runner: ForecastRunner,
  dataDirectory: string,
  shape: ForecastShape,
): Promise<number> {
  const inputs = readCheckInputs(dataDirectory, shape);
  const batched = await runner(inputs);
  let largest = 0;
  for (const [i, input] of inputs.slice(0, checkedAlone).entries()) {
    const [alone] = await runner([input]);
    largest = Math.max(largest, maxDifference(alone!, batched[i]!));
  }
  return largest;
}

function readCheckInputs(dataDirectory: string, shape: ForecastShape): ForecastInput[] {
  const { series, testFrom } = readSplit(dataDirectory, shape);
  const starts = listStarts(series, shape, testFrom, series.values.length).subarray(0, checkedRows);
  return [...starts].map((start) => buildForecastInput(siteAt(series, shape, start), shape));
}

async function scoreDayAhead(
  runner: ForecastRunner,
  series: LoadSeries,
  shape: ForecastShape,
  starts: Int32Array,
): Promise<ForecastScore> {
  return scoreForecasts(await forecastFrom(runner, series, shape, starts, 1, noGrowth), series, starts);
}

/** Mean absolute error of the loads a week before. */
function lastWeekError(series: LoadSeries, shape: ForecastShape, starts: Int32Array): number {
  let sum = 0;
  for (const start of starts) {
    for (let at = start; at < start + shape.horizonSteps; at++) {
      sum += Math.abs(series.values[at]! - series.values[at - shape.lookbackSteps]!);
    }
  }
  return sum / (starts.length * shape.horizonSteps);
}

function thin(starts: Int32Array, every: number): Int32Array {
  return starts.filter((_, i) => i % every === 0);
}
