import { describe, expect, it } from 'vitest';
import { hourlyShape } from '../../src/domains/predictions/forecast.ts';
import { maxDifference, openSession } from './artifact.ts';
import { forecastFrom, measureGrowth, networkRunner, scoreForecasts, sessionRunner } from './forecast-evaluation.ts';
import { exportForecaster } from './forecast-model.ts';
import { buildRows, joinRows, listStarts } from './forecast-rows.ts';
import { measureOffsets, shiftOutputs, trainNetworks } from './forecast-training.ts';
import { generatedShapes, generateSeries } from './generated-series.ts';
import { averageNetworks } from './quantile-network.ts';

const training = { hidden: 16, epochs: 4, batchRows: 32, peakRate: 5e-3, decay: 1e-3, seed: 1 };
const noGrowth = { lower: [1], upper: [1] };
const shape = hourlyShape;
const series = generateSeries('evening-peak', 24 * 7 * 14, 21);
const trainTo = 24 * 7 * 10;
const rows = buildRows(series, shape, listStarts(series, shape, 0, trainTo));
const testStarts = listStarts(series, shape, trainTo, series.values.length, 7 * 24);
const train = () => averageNetworks(trainNetworks([rows, rows], training, () => undefined));

describe('generateSeries', () => {
  it.each(generatedShapes)('makes finite %s loads, the same for the same seed', (kind) => {
    const made = generateSeries(kind, 500, 4);
    expect(made.values.every(Number.isFinite)).toBe(true);
    expect(generateSeries(kind, 500, 4)).toEqual(made);
    expect(generateSeries(kind, 500, 5).values).not.toEqual(made.values);
  });
});

describe('forecast training', () => {
  const network = train();
  shiftOutputs(network, measureOffsets([{ network, rows: joinRows([rows, rows]), errorShare: 1 }]));

  it('beats the load of yesterday', async () => {
    const forecasts = await forecastFrom(networkRunner(network), series, shape, testStarts, 1, noGrowth);
    const score = scoreForecasts(forecasts, series, testStarts);
    const yesterday = testStarts.reduce((sum, at) => sum + Math.abs(series.values[at]! - series.values[at - 24]!), 0);
    expect(score.mae).toBeLessThan(yesterday / testStarts.length);
  });

  it('moves the bands to hold their share of the rows', async () => {
    const starts = listStarts(series, shape, 0, trainTo);
    const forecasts = await forecastFrom(networkRunner(network), series, shape, starts, 1, noGrowth);
    expect(scoreForecasts(forecasts, series, starts).coverage).toBeCloseTo(0.8, 1);
  });

  it('is the same for the same seed', () => {
    expect(exportForecaster(train(), shape)).toEqual(exportForecaster(train(), shape));
  });

  it('measures bands that never narrow with the days', async () => {
    const forecasts = await forecastFrom(networkRunner(network), series, shape, testStarts, 7, noGrowth);
    const { lower, upper } = measureGrowth([{ forecasts, starts: testStarts, errorShare: 1 }], series, shape, 7);
    expect(lower).toHaveLength(7);
    for (const growth of [lower, upper]) expect(growth).toEqual([...growth].sort((a, b) => a - b));
    const widened = await forecastFrom(networkRunner(network), series, shape, testStarts, 7, { lower, upper });
    expect(scoreForecasts(widened, series, testStarts, 24, 168).coverage).toBeGreaterThan(0.75);
  });

  it('is exported without change, and rows do not depend on their batch', async () => {
    const run = sessionRunner(await openSession(exportForecaster(network, shape)));
    const starts = testStarts.subarray(0, 20);
    const forecast = (runner: typeof run, own: Int32Array) => forecastFrom(runner, series, shape, own, 1, noGrowth);
    const medians = (steps: Awaited<ReturnType<typeof forecast>>) => steps.flat().map((step) => step.p50);
    const exported = medians(await forecast(run, starts));
    const scale = Math.max(...exported.map(Math.abs));
    expect(maxDifference(medians(await forecast(networkRunner(network), starts)), exported) / scale).toBeLessThan(1e-5);
    const alone = medians(await forecast(run, starts.subarray(0, 1)));
    expect(maxDifference(alone, exported.slice(0, 24)) / scale).toBeLessThan(1e-6);
  });
});
