/** Trains the energy forecaster: demand of Victoria of 2012-13 and generated series; H1 2014 helps to set the bands. */
import {
  type BandGrowth,
  type ForecastShape,
  forecastQuantiles,
  hourlyShape,
  maxForecastDays,
} from '../../src/domains/predictions/forecast.ts';
import type { Manifest } from '../../src/inference/manifest.ts';
import { writeModel } from './artifact.ts';
import { aggregateSeries, DataError, type LoadSeries, readVictoria } from './data-files.ts';
import { forecastFrom, type HeldOutForecasts, measureGrowth, networkRunner } from './forecast-evaluation.ts';
import { exportForecaster, forecastTensors } from './forecast-model.ts';
import { buildRows, type ForecastRows, indexAt, joinRows, listStarts } from './forecast-rows.ts';
import {
  type ForecastTraining,
  measureOffsets,
  medianError,
  type Progress,
  shiftOutputs,
  trainNetworks,
} from './forecast-training.ts';
import { generatedShapes, generateSeries } from './generated-series.ts';
import { averageNetworks, type QuantileNetwork } from './quantile-network.ts';

export interface TrainedForecaster {
  network: QuantileNetwork;
  onnx: Uint8Array;
  shape: ForecastShape;
  growth: BandGrowth;
  rows: { victoria: number; generated: number };
}
/** Victoria's demand at the shape's step, and where its parts begin. */
export interface SplitSeries {
  series: LoadSeries;
  validationFrom: number;
  testFrom: number;
}

const halfHourlyShape: ForecastShape = { stepMinutes: 30, lookbackSteps: 336, horizonSteps: 48 };
const training: Omit<ForecastTraining, 'seed'> = {
  hidden: 192,
  epochs: 15,
  batchRows: 64,
  peakRate: 2e-3,
  decay: 1e-3,
};
// Each network leaves out every sixth block of four weeks: bands are measured there, in all seasons, and not only on
// the half year behind the training data.
const folds = 6;
const blockDays = 28;
const generatedCount = 80;
const generatedWeeks = 20;
const generatedSeed = 1_000;
// Neighbouring starts tell little new. None divides a day, so all hours of the day occur.
const generatedStride = 17;
const oppositeSeasonStride = 3;
const longRangeStride = 5;
const halfYearMs = 182 * 86_400_000;
const noGrowth: BandGrowth = { lower: [1], upper: [1] };

/** The shape of a step in minutes: 60 is served, 30 compares with published figures. */
export function shapeOf(stepMinutes: number): ForecastShape {
  if (stepMinutes === hourlyShape.stepMinutes) return hourlyShape;
  if (stepMinutes === halfHourlyShape.stepMinutes) return halfHourlyShape;
  throw new DataError(`expected a step of 60 or 30 minutes, got ${stepMinutes}`);
}

/** Victoria's demand with its parts: training, validation (H1 2014) and test (H2 2014). */
export function readSplit(dataDirectory: string, shape: ForecastShape): SplitSeries {
  const halfHours = readVictoria(dataDirectory);
  const series = aggregateSeries(halfHours, shape.stepMinutes / halfHours.stepMinutes);
  const [validationFrom, testFrom] = [
    indexAt(series, '2014-01-01T00:00:00+11:00'),
    indexAt(series, '2014-07-01T00:00:00+10:00'),
  ];
  if (testFrom >= series.values.length) throw new DataError('expected demand of Victoria from 2012 to the end of 2014');
  return { series, validationFrom, testFrom };
}

/**
 * Trains networks that each leave out a part of 2012-13 and averages them. Their bands are moved to hold 80 % of the
 * loads left out and of H1 2014, and so is the growth of the bands over seven days.
 */
export async function trainEnergyForecast(
  dataDirectory: string,
  shape: ForecastShape,
  seed: number,
  onProgress: Progress,
): Promise<TrainedForecaster> {
  const split = readSplit(dataDirectory, shape);
  const generated = buildGeneratedRows(shape);
  const rowSets = listFolds().map((fold) => joinRows([...buildVictoriaRows(split, shape, fold), ...generated]));
  const networks = trainNetworks(rowSets, { ...training, seed }, onProgress);
  const network = averageNetworks(networks);
  const validation = buildRows(split.series, shape, listValidationStarts(split, shape, 1));
  // The average errs less than its parts, by what both show in H1 2014.
  const finalError = medianError(network, validation);
  const errorShares = networks.map((own) => finalError / medianError(own, validation));
  const heldOut = networks.map((own, fold) => {
    const rows = buildRows(split.series, shape, listHeldOutStarts(split, shape, fold, 1));
    return { network: own, rows, errorShare: errorShares[fold]! };
  });
  const offsets = measureOffsets([...heldOut, { network, rows: validation, errorShare: 1 }]);
  for (const own of [...networks, network]) shiftOutputs(own, offsets);
  const growth = await measureLongRange(networks, errorShares, network, split, shape);
  const victoria = split.validationFrom - shape.lookbackSteps;
  const generatedRows = generated.reduce((sum, rows) => sum + rows.count, 0);
  return {
    network,
    onnx: exportForecaster(network, shape),
    shape,
    growth,
    rows: { victoria, generated: generatedRows },
  };
}

/** Writes the model with its test figures. */
export function writeEnergyForecast(
  directory: string,
  trained: TrainedForecaster,
  metrics: Record<string, number>,
): Manifest {
  const { shape, growth } = trained;
  const { input, output } = forecastTensors(shape);
  return writeModel(directory, trained.onnx, {
    name: 'energy-forecast',
    version: '1',
    description: 'Quantiles of the next day of load from the week before, the calendar and holidays.',
    task: 'FORECAST',
    precision: 'FP32',
    deterministic: true,
    inputs: [input],
    outputs: [output],
    options: {
      ...shape,
      quantiles: [...forecastQuantiles],
      bandGrowth: { lower: [...growth.lower], upper: [...growth.upper] },
    },
    metrics,
    trainingData: [
      {
        name: 'vic-elec',
        licence: 'AEMO copyright permission: any purpose, with attribution',
        source: 'Australian Energy Market Operator; through github.com/tidyverts/tsibbledata',
        rows: trained.rows.victoria,
      },
      { name: 'generated series', licence: 'MIT', source: 'made by the training code', rows: trained.rows.generated },
    ],
    licence: 'MIT',
  });
}

/** Rows of 2012-13 without those of a fold, and again half a year apart so that seasons are not learned by date. */
function buildVictoriaRows(split: SplitSeries, shape: ForecastShape, fold: number): ForecastRows[] {
  const { series, validationFrom } = split;
  const hourly = thin(listStarts(series, shape, 0, validationFrom), 60 / shape.stepMinutes);
  const starts = hourly.filter((start) => foldOf(start, shape) !== fold);
  const opposite = { ...series, startUtcMs: series.startUtcMs + halfYearMs, holidays: new Set<string>() };
  return [buildRows(series, shape, starts), buildRows(opposite, shape, thin(starts, oppositeSeasonStride))];
}

/** Generated series are hourly; other shapes train on Victoria alone. */
function buildGeneratedRows(shape: ForecastShape): ForecastRows[] {
  if (shape.stepMinutes !== 60) return [];
  return Array.from({ length: generatedCount }, (_, i) => {
    const kind = generatedShapes[i % generatedShapes.length]!;
    const series = generateSeries(kind, generatedWeeks * 7 * 24, generatedSeed + i);
    return buildRows(series, shape, thin(listStarts(series, shape, 0, series.values.length), generatedStride));
  });
}

async function measureLongRange(
  networks: readonly QuantileNetwork[],
  errorShares: readonly number[],
  network: QuantileNetwork,
  split: SplitSeries,
  shape: ForecastShape,
): Promise<BandGrowth> {
  const forecast = async (own: QuantileNetwork, errorShare: number, starts: Int32Array): Promise<HeldOutForecasts> => {
    const thinned = thin(starts, longRangeStride);
    const runner = networkRunner(own);
    return {
      starts: thinned,
      errorShare,
      forecasts: await forecastFrom(runner, split.series, shape, thinned, maxForecastDays, noGrowth),
    };
  };
  const heldOut: HeldOutForecasts[] = [];
  for (const [fold, own] of networks.entries()) {
    heldOut.push(await forecast(own, errorShares[fold]!, listHeldOutStarts(split, shape, fold, maxForecastDays)));
  }
  heldOut.push(await forecast(network, 1, listValidationStarts(split, shape, maxForecastDays)));
  return measureGrowth(heldOut, split.series, shape, maxForecastDays);
}

function listValidationStarts(split: SplitSeries, shape: ForecastShape, days: number): Int32Array {
  return listStarts(split.series, shape, split.validationFrom, split.testFrom, days * shape.horizonSteps);
}

/** Starts whose forecast of some days lies in the fold, a day away from loads that its network was trained to reach. */
function listHeldOutStarts(split: SplitSeries, shape: ForecastShape, fold: number, days: number): Int32Array {
  const day = shape.horizonSteps;
  return listStarts(split.series, shape, 0, split.validationFrom, days * day).filter((start) => {
    return (
      foldOf(start - day, shape) === fold && blockOf(start - day, shape) === blockOf(start + days * day - 1, shape)
    );
  });
}

function listFolds(): number[] {
  return Array.from({ length: folds }, (_, fold) => fold);
}

function foldOf(start: number, shape: ForecastShape): number {
  return blockOf(start, shape) % folds;
}

function blockOf(start: number, shape: ForecastShape): number {
  return Math.floor(start / (blockDays * shape.horizonSteps));
}

function thin(starts: Int32Array, every: number): Int32Array {
  return starts.filter((_, i) => i % every === 0);
}
