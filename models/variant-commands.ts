/** The commands of precision variants: writes INT8 and FP16 versions, and prints each beside the FP32 one. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { BandGrowth } from '../src/domains/predictions/forecast.ts';
import { openSession, readModel } from './training/artifact.ts';
import { shapeOf } from './training/energy-forecast.ts';
import { evaluateEnergyForecast } from './training/energy-forecast-evaluation.ts';
import { sessionRunner } from './training/forecast-evaluation.ts';
import type { VariantPrecision } from './training/quantize.ts';
import { evaluateSentiment, sentimentRunner } from './training/sentiment-training.ts';
import { formatNumber } from './training/targets.ts';
import { formatTable } from './training/terminal.ts';
import {
  listVariants,
  measureVariants,
  type VariantFigures,
  variantPrecisions,
  writeVariant,
} from './training/variants.ts';

export interface QuantizeOptions {
  modelsDirectory: string;
  /** Both if not given. */
  precision?: VariantPrecision;
}
type Accuracy = Record<string, number>;

/** Figures of a version of a model on its data set; models without one here are only timed. */
const accuracies: Record<string, (directory: string, data: string) => Promise<Accuracy>> = {
  sentiment: measureSentiment,
  'energy-forecast': measureForecast,
};

/** Writes the variants of a version ("sentiment/1") beside it, and prints them with it. */
export async function quantizeModel(version: string, { modelsDirectory, precision }: QuantizeOptions): Promise<void> {
  const directory = join(modelsDirectory, version);
  for (const own of precision === undefined ? variantPrecisions : [precision]) {
    console.log(`written to ${writeVariant(directory, own)}`);
  }
  await printVariants(directory);
}

/**
 * Prints a version and its variants: accuracy where data is given, size, latency and throughput. A version without any is
 * only printed where no data is given.
 */
export async function printVariants(directory: string, data?: string): Promise<void> {
  const directories = existsSync(join(directory, 'manifest.json')) ? listVariants(directory) : [];
  if (directories.length < (data === undefined ? 1 : 2)) return;
  const accuracy = accuracies[readModel(directory).manifest.name];
  const measured: Accuracy[] = [];
  for (const own of accuracy === undefined || data === undefined ? [] : directories) {
    measured.push(await accuracy!(own, data!));
  }
  const figures = await measureVariants(directories);
  const names = Object.keys(measured[0] ?? {});
  const rows = figures.map((own, i) => [...toCells(own), ...names.map((name) => formatNumber(measured[i]![name]!))]);
  const speeds = ['alone µs', 'speed', 'batch of 64, µs a row', 'speed'];
  const header = ['version', 'precision', 'MB', 'difference', 'in a batch', ...speeds, ...names];
  console.log(`\n${formatTable(header, rows)}\n`);
}

function toCells(figures: VariantFigures): string[] {
  const { name, version, precision } = figures.manifest;
  return [
    `${name}/${version}`,
    precision,
    figures.megabytes.toFixed(2),
    formatNumber(figures.difference),
    formatNumber(figures.batchDifference),
    figures.aloneUs.toFixed(1),
    figures.aloneSpeed.toFixed(2),
    figures.batchedUs.toFixed(2),
    figures.batchedSpeed.toFixed(2),
  ];
}

async function measureSentiment(directory: string, data: string): Promise<Accuracy> {
  const { manifest, onnxPath } = readModel(directory);
  const run = await sentimentRunner(onnxPath);
  const metrics = await evaluateSentiment(data, run, manifest.options.thresholds as number[]);
  return pick(metrics, ['macroF1', 'accuracy3Classes']);
}

async function measureForecast(directory: string, data: string): Promise<Accuracy> {
  const { manifest, onnxPath } = readModel(directory);
  const runner = sessionRunner(await openSession(onnxPath));
  const growth = manifest.options.bandGrowth as unknown as BandGrowth;
  return pick(await evaluateEnergyForecast(data, shapeOf(60), runner, growth), ['mapePercent', 'coverage80']);
}

function pick(metrics: Accuracy, names: readonly string[]): Accuracy {
  return Object.fromEntries(names.map((name) => [name, metrics[name]!]));
}
