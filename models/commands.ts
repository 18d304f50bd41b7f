/** The commands behind models/cli.ts: train a model and write it, or evaluate what was written. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { BandGrowth } from '../src/domains/predictions/forecast.ts';
import type { Manifest } from '../src/inference/manifest.ts';
import { openSession, readModel } from './training/artifact.ts';
import { evaluateEmbedding, measureEmbeddingInvariance } from './training/embedding-evaluation.ts';
import {
  embeddingRunner,
  measureEmbeddingParity,
  trainEmbedding,
  writeEmbedding,
} from './training/embedding-training.ts';
import {
  shapeOf,
  type TrainedForecaster,
  trainEnergyForecast,
  writeEnergyForecast,
} from './training/energy-forecast.ts';
import {
  evaluateEnergyForecast,
  evaluateOtherSeries,
  measureInvariance,
  measureParity,
} from './training/energy-forecast-evaluation.ts';
import { type Etth1Result, runEtth1 } from './training/etth1.ts';
import { sessionRunner } from './training/forecast-evaluation.ts';
import {
  evaluateSentiment,
  measureSentimentInvariance,
  measureSentimentParity,
  sentimentRunner,
  trainSentiment,
  writeSentiment,
} from './training/sentiment-training.ts';
import {
  embeddingTargets,
  energyForecastTargets,
  etth1Tolerance,
  formatMetrics,
  formatNumber,
  sentimentTargets,
} from './training/targets.ts';
import { createProgress, formatTable } from './training/terminal.ts';

export const modelNames = ['sentiment', 'energy-forecast', 'embedding', 'etth1'] as const;
export type ModelName = (typeof modelNames)[number];

export interface EvaluateOptions {
  modelsDirectory: string;
  data: string;
  /** Minutes; of energy-forecast. */
  step: number;
}
export interface TrainOptions extends EvaluateOptions {
  out?: string;
  seed: number;
  withoutReviews?: boolean;
}

const version = '1';
const commands = {
  sentiment: { train: trainAndWriteSentiment, print: printSentiment, targets: sentimentTargets },
  'energy-forecast': { train: trainAndWriteForecast, print: printForecast, targets: energyForecastTargets },
  embedding: { train: trainAndWriteEmbedding, print: printEmbedding, targets: embeddingTargets },
};

/** Trains a model, writes it, and prints how the file differs from the network; "etth1" is only printed. */
export async function trainModel(model: ModelName, options: TrainOptions): Promise<void> {
  if (model === 'etth1') return printEtth1(options.data);
  const directory = options.out ?? join(options.modelsDirectory, model, version);
  const { train, targets } = commands[model];
  const manifest = await train(directory, options);
  if (manifest === undefined) return;
  console.log(`\n${formatMetrics(manifest.metrics, targets)}`);
  console.log(`\nwritten to ${directory}, sha256 ${manifest.sha256}`);
}

/** Prints metric, target and measured value of a trained model. */
export async function evaluateModel(model: ModelName, options: EvaluateOptions): Promise<void> {
  if (model === 'etth1') return printEtth1(options.data);
  if (model === 'energy-forecast' && options.step !== 60) return printHalfHourly(options);
  return commands[model].print(options);
}

async function printHalfHourly(options: EvaluateOptions): Promise<void> {
  const trained = await trainForecaster(options.data, options.step, 1);
  const runner = sessionRunner(await openSession(trained.onnx));
  const metrics = await evaluateEnergyForecast(options.data, trained.shape, runner, trained.growth);
  console.log(
    `\nenergy-forecast, half-hourly (trained now, not kept)\n${formatMetrics(metrics, energyForecastTargets)}\n`,
  );
}

async function trainAndWriteSentiment(directory: string, options: TrainOptions): Promise<Manifest> {
  const progress = createProgress('sentiment');
  const training = { seed: options.seed, withReviews: options.withoutReviews !== true };
  const trained = trainSentiment(options.data, training, progress.update);
  progress.stop();
  console.log(
    `ONNX against network: max difference ${formatNumber(await measureSentimentParity(trained, options.data))}`,
  );
  const metrics = await evaluateSentiment(options.data, await sentimentRunner(trained.onnx), trained.thresholds);
  return writeSentiment(directory, trained, metrics);
}

async function trainAndWriteForecast(directory: string, options: TrainOptions): Promise<Manifest | undefined> {
  const trained = await trainForecaster(options.data, options.step, options.seed);
  console.log(`ONNX against network: max difference ${formatNumber(await measureParity(trained, options.data))}`);
  const runner = sessionRunner(await openSession(trained.onnx));
  const metrics = await evaluateEnergyForecast(options.data, trained.shape, runner, trained.growth);
  if (options.step === 60 || options.out !== undefined) return writeEnergyForecast(directory, trained, metrics);
  console.log(
    `\n${formatMetrics(metrics, energyForecastTargets)}\n\nnot written: only the hourly model is served (or give --out)`,
  );
  return undefined;
}

async function trainAndWriteEmbedding(directory: string, options: TrainOptions): Promise<Manifest> {
  const progress = createProgress('embedding');
  const trained = trainEmbedding(options.data, options.seed, progress.update);
  progress.stop();
  const { difference, smallestCosine } = await measureEmbeddingParity(trained, options.data);
  console.log(`ONNX against rounded network: max difference ${formatNumber(difference)}`);
  console.log(`rounded to 8 bits against not rounded: cosine at least ${smallestCosine.toFixed(6)}`);
  const run = await embeddingRunner(trained.onnx);
  const metrics = await evaluateEmbedding(options.data, run, trained.sameQuestionSimilarity);
  return writeEmbedding(directory, trained, metrics);
}

async function trainForecaster(data: string, step: number, seed: number): Promise<TrainedForecaster> {
  const progress = createProgress(`energy-forecast, ${step} minutes`);
  const trained = await trainEnergyForecast(data, shapeOf(step), seed, progress.update);
  progress.stop();
  return trained;
}

async function printSentiment(options: EvaluateOptions): Promise<void> {
  const { manifest, onnxPath } = readModel(join(options.modelsDirectory, 'sentiment', version));
  const run = await sentimentRunner(onnxPath);
  const thresholds = manifest.options.thresholds as number[];
  const metrics = {
    ...(await evaluateSentiment(options.data, run, thresholds)),
    batchInvariance: await measureSentimentInvariance(run),
    fileMegabytes: megabytesOf(onnxPath),
  };
  console.log(`\nsentiment\n${formatMetrics(metrics, sentimentTargets)}\n`);
}

async function printForecast(options: EvaluateOptions): Promise<void> {
  const { manifest, onnxPath } = readModel(join(options.modelsDirectory, 'energy-forecast', version));
  const runner = sessionRunner(await openSession(onnxPath));
  const growth = manifest.options.bandGrowth as unknown as BandGrowth;
  const shape = shapeOf(60);
  const metrics = {
    ...(await evaluateEnergyForecast(options.data, shape, runner, growth)),
    batchInvariance: await measureInvariance(runner, options.data, shape),
    fileMegabytes: megabytesOf(onnxPath),
  };
  console.log(`\nenergy-forecast, hourly\n${formatMetrics(metrics, energyForecastTargets)}\n`);
  const others = await evaluateOtherSeries(options.data, runner, shape);
  const rows = others.map(({ name, mae, errorShareOfLastWeek, coverage }) => [
    name,
    ...[mae, errorShareOfLastWeek, coverage].map(formatNumber),
  ]);
  const header = ['series not trained on', 'MAE', 'error / that of last week', 'coverage of the 80 % band'];
  console.log(`${formatTable(header, rows)}\n`);
}

async function printEmbedding(options: EvaluateOptions): Promise<void> {
  const { manifest, onnxPath } = readModel(join(options.modelsDirectory, 'embedding', version));
  const run = await embeddingRunner(onnxPath);
  const threshold = manifest.options.sameQuestionSimilarity as number;
  const metrics = {
    sameQuestionSimilarity: threshold,
    ...(await evaluateEmbedding(options.data, run, threshold)),
    batchInvariance: await measureEmbeddingInvariance(run),
    fileMegabytes: megabytesOf(onnxPath),
  };
  console.log(`\nembedding\n${formatMetrics(metrics, embeddingTargets)}\n`);
}

async function printEtth1(data: string): Promise<void> {
  const progress = createProgress('etth1');
  let done = 0;
  const results = await runEtth1(data, () => progress.update(++done / 8));
  progress.stop();
  const header = ['variables', 'horizon', 'MSE', 'published', 'MAE', 'published', 'ridge', 'ONNX difference', ''];
  console.log(
    `\netth1, NLinear; target: within ${etth1Tolerance} of the published table\n${formatTable(header, results.map(toRow))}\n`,
  );
}

function toRow(result: Etth1Result): string[] {
  const { variables, horizon, mse, mae, publishedMse, publishedMae, ridge, parity } = result;
  // Better by more than the tolerance would be no miss.
  const isMet = mse - publishedMse <= etth1Tolerance && mae - publishedMae <= etth1Tolerance;
  const figures = [mse, publishedMse, mae, publishedMae].map((value) => value.toFixed(3));
  return [variables, String(horizon), ...figures, String(ridge), formatNumber(parity), isMet ? 'met' : 'missed'];
}

function megabytesOf(path: string): number {
  return statSync(path).size / 1e6;
}
