/** INT8 and FP16 versions beside an FP32 one: writes them, and measures them against it on generated rows. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type InferenceSession, Tensor } from 'onnxruntime-node';
import type { Manifest } from '../../src/inference/manifest.ts';
import { newTensorData } from '../../src/inference/tensors.ts';
import { maxDifference, openSession, readModel, writeModel } from './artifact.ts';
import { DataError } from './data-files.ts';
import { type OnnxGraph, writeOnnx } from './onnx.ts';
import { readOnnx } from './onnx-reader.ts';
import { quantizeGraph, type VariantPrecision } from './quantize.ts';
import { createRandom, type Random } from './random.ts';

/** A version against the first one measured with it. */
export interface VariantFigures {
  manifest: Manifest;
  megabytes: number;
  /** Largest difference of any output to those of the first version, and of rows run alone to the same rows in a batch. */
  difference: number;
  batchDifference: number;
  /** Median of one row alone, and of a full batch for each row; microseconds. */
  aloneUs: number;
  batchedUs: number;
  /** How many times as fast as the first version: medians of runs in turns. */
  aloneSpeed: number;
  batchedSpeed: number;
}
/** Rows of a generated batch, and for every dynamic axis its length. */
export interface SampleSize {
  rows: number;
  axisSize: number;
}

type Feeds = Record<string, Tensor>;
type Times = { alone: number[]; batched: number[] };

export const variantPrecisions: readonly VariantPrecision[] = ['INT8', 'FP16'];
const defaultSize: SampleSize = { rows: 64, axisSize: 64 };
const defaultBudgetMs = 4_000;
const fewestRounds = 3;
const mostRounds = 200;
const aloneRuns = 8;
const comparedAlone = 16;
const sampleSeed = 1;

/** Writes models/<name>/<version>-int8 or -fp16 from the FP32 version's model.onnx; answers the new directory. */
export function writeVariant(directory: string, precision: VariantPrecision): string {
  const { manifest, onnxPath } = readModel(directory);
  const { name, version } = manifest;
  if (manifest.precision !== 'FP32') {
    throw new DataError(`${name}/${version}: expected a version of precision FP32, got ${manifest.precision}`);
  }
  const onnx = quantizeFile(onnxPath, `${name}/${version}`, precision);
  const variant = variantDirectory(directory, precision);
  // The figures of the FP32 version are not its own.
  const { sha256: _, metrics: __, ...kept } = manifest;
  const description = `${manifest.description ?? name} ${precision} weights, made from version ${version}.`;
  writeModel(variant, onnx, {
    ...kept,
    ...withLists(manifest),
    version: `${version}${suffix(precision)}`,
    precision,
    description,
  });
  return variant;
}

/** The directories of a version and of its variants that exist, FP32 first. */
export function listVariants(directory: string): string[] {
  const variants = variantPrecisions.map((precision) => variantDirectory(directory, precision));
  return [directory, ...variants.filter((variant) => existsSync(join(variant, 'manifest.json')))];
}

/** Measures versions with the same inputs, in turns, for some seconds; differences and speeds are against the first. */
export async function measureVariants(
  directories: readonly string[],
  size: SampleSize = defaultSize,
  budgetMs: number = defaultBudgetMs,
): Promise<VariantFigures[]> {
  const models = directories.map((directory) => readModel(directory));
  const sessions = await Promise.all(models.map(({ onnxPath }) => openSession(onnxPath)));
  try {
    const [{ manifest, onnxPath }] = models as [(typeof models)[0]];
    const feeds = sampleFeeds(manifest, readOnnx(readFileSync(onnxPath)), size);
    const outputs = manifest.outputs.map((output) => output.name);
    const times = await timeInTurns(sessions, feeds, budgetMs, size.rows);
    const expected = await sessions[0]!.run(feeds, outputs);
    const figures: VariantFigures[] = [];
    for (const [i, session] of sessions.entries()) {
      const own = await session.run(feeds, outputs);
      figures.push({
        manifest: models[i]!.manifest,
        megabytes: statSync(models[i]!.onnxPath).size / 1e6,
        difference: largestDifference(expected, own),
        batchDifference: await differenceAlone(session, feeds, own, size.rows),
        ...compareTimes(times[i]!, times[0]!),
      });
    }
    return figures;
  } finally {
    for (const session of sessions) await session.release();
  }
}

/** Random rows that a model can take: floats around 0, whole numbers below the tables that they are looked up in. */
export function sampleFeeds(manifest: Manifest, graph: OnnxGraph, size: SampleSize): Feeds {
  const random = createRandom(sampleSeed);
  return Object.fromEntries(
    manifest.inputs.map(({ name, type, shape: [, ...shape] }) => {
      const dims = [size.rows, ...shape.map((length) => (typeof length === 'number' ? length : size.axisSize))];
      const data = newTensorData(
        type,
        dims.reduce((product, length) => product * length, 1),
      );
      fill(data as Float32Array, type, tableRows(graph, name), random);
      return [name, new Tensor(type, data as Float32Array, dims) as Tensor];
    }),
  );
}

function quantizeFile(onnxPath: string, version: string, precision: VariantPrecision): Uint8Array {
  try {
    return writeOnnx(quantizeGraph(readOnnx(readFileSync(onnxPath)), precision).graph);
  } catch (error) {
    throw new DataError(`${version}/model.onnx: ${(error as Error).message}`);
  }
}

// The manifest's lists are read-only, the ones to write are not.
function withLists({ inputs, outputs, trainingData, options }: Manifest) {
  return structuredClone({ inputs: [...inputs], outputs: [...outputs], trainingData: [...trainingData], options });
}

function variantDirectory(directory: string, precision: VariantPrecision): string {
  return join(dirname(directory), `${readModel(directory).manifest.version}${suffix(precision)}`);
}

function suffix(precision: VariantPrecision): string {
  return `-${precision.toLowerCase()}`;
}

function fill(data: Float32Array, type: string, limit: number, random: Random): void {
  for (let i = 0; i < data.length; i++) {
    if (type.startsWith('float')) data[i] = random.gauss();
    else if (type.endsWith('64')) (data as unknown as BigInt64Array)[i] = BigInt(1 + random.integer(limit - 1));
    else data[i] = type === 'bool' ? 1 : 1 + random.integer(limit - 1);
  }
}

/** Rows of the smallest table that an input is looked up in; 2 (so that all are 1, as in a mask) when there is none. */
function tableRows(graph: OnnxGraph, input: string): number {
  const tables = graph.nodes
    .filter(({ operator, inputs }) => operator === 'Gather' && inputs[1] === input)
    .map(({ inputs }) => graph.constants.find(({ name }) => name === inputs[0])?.shape[0] ?? 2);
  return tables.length === 0 ? 2 : Math.max(2, Math.min(...tables));
}

/** For each session what one row alone and what a batch took, in microseconds a row, one value a round. */
async function timeInTurns(
  sessions: readonly InferenceSession[],
  feeds: Feeds,
  budgetMs: number,
  rows: number,
): Promise<Times[]> {
  const alone = Array.from({ length: Math.min(aloneRuns, rows) }, (_, row) => rowOf(feeds, row));
  const times = sessions.map((): Times => ({ alone: [], batched: [] }));
  // The first round only warms up.
  const endsAt = performance.now() + budgetMs;
  for (let round = 0; round <= mostRounds; round++) {
    if (round > fewestRounds && performance.now() > endsAt) break;
    for (const [i, session] of sessions.entries()) {
      const startedAt = performance.now();
      for (const row of alone) await session.run(row);
      const between = performance.now();
      await session.run(feeds);
      if (round === 0) continue;
      times[i]!.alone.push(((between - startedAt) * 1e3) / alone.length);
      times[i]!.batched.push(((performance.now() - between) * 1e3) / rows);
    }
  }
  return times;
}

function compareTimes(own: Times, first: Times) {
  const speed = (kind: keyof Times) => median(first[kind].map((time, round) => time / own[kind][round]!));
  return {
    aloneUs: median(own.alone),
    batchedUs: median(own.batched),
    aloneSpeed: speed('alone'),
    batchedSpeed: speed('batched'),
  };
}

async function differenceAlone(
  session: InferenceSession,
  feeds: Feeds,
  batched: InferenceSession.OnnxValueMapType,
  rows: number,
): Promise<number> {
  let largest = 0;
  for (let row = 0; row < Math.min(rows, comparedAlone); row++) {
    const alone = await session.run(rowOf(feeds, row), Object.keys(batched));
    largest = Math.max(largest, largestDifference(rowOf(batched as Feeds, row), alone));
  }
  return largest;
}

function largestDifference(
  first: InferenceSession.OnnxValueMapType,
  second: InferenceSession.OnnxValueMapType,
): number {
  const differences = Object.keys(first).map((name) => {
    const [a, b] = [first, second].map((values) => Array.from((values[name] as Tensor).data as Float32Array, Number));
    return maxDifference(a!, b!);
  });
  return differences.some(Number.isNaN) ? Number.NaN : Math.max(...differences);
}

/** One row as a batch of its own. */
function rowOf(batch: Feeds, row: number): Feeds {
  return Object.fromEntries(
    Object.entries(batch).map(([name, { type, data, dims }]) => {
      const width = data.length / dims[0]!;
      const own = (data as Float32Array).slice(row * width, (row + 1) * width);
      return [name, new Tensor(type as 'float32', own, [1, ...dims.slice(1)]) as Tensor];
    }),
  );
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}
