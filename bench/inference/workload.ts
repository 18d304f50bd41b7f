/** What the bench asks of each model: rows that differ, and full batches of them. */
import { miniLmL6, smallEncoder, writeEncoderVersion } from '../../models/training/heavy-model.ts';
import { createRandom, type Random } from '../../models/training/random.ts';
import { sentimentBuckets } from '../../src/domains/predictions/sentiment.ts';
import type { Row } from '../../src/inference/engine.ts';
import { type ModelFiles, type ModelRepository, scanModelRepository } from '../../src/inference/repository.ts';

export interface Workload {
  readonly model: string;
  readonly version: string;
  readonly files: ModelFiles;
  readonly input: RowInput;
  readonly output: string;
  /** A row that differs from the 16,384 before it, so that no two that wait at the same time are merged. */
  nextRow(): Row;
}

/** The model's only input, a vector for each row. */
export interface RowInput {
  readonly name: string;
  readonly type: 'int32' | 'float32';
  readonly length: number;
}

/** Rows as one tensor, one row after the other. */
export interface Batch {
  readonly data: Int32Array | Float32Array;
  readonly rows: number;
}

export interface Workloads {
  readonly repository: ModelRepository;
  readonly sentiment: Workload;
  readonly forecast: Workload;
  readonly small: Workload;
  /** Null unless it was asked for. */
  readonly heavy: Workload | null;
}

// A short message: 64 ids of the sentiment model are about 10 words.
const sentimentIds = 64;
const encoderIds = 32;
// Batches beyond these make no more rows a second on a CPU: 1.14 times from 1 row to 32 rows of MiniLM-L6.
const smallBatchRows = 64;
const heavyBatchRows = 8;
// Made beforehand, as the bare threads' batches are: making a row costs its caller as much as asking for it costs the
// engine. Twice what 4,096 callers can have in flight.
const rowsMade = 16_384;

/**
 * The shipped models of sentiment and forecasts, the small encoder and, if wished, the heavy one; the encoders are written
 * into the directory.
 */
export async function createWorkloads(directory: string, isHeavy: boolean): Promise<Workloads> {
  writeEncoderVersion(directory, { name: 'small-encoder', shape: smallEncoder, maxBatchRows: smallBatchRows });
  if (isHeavy) writeEncoderVersion(directory, { name: 'heavy-encoder', shape: miniLmL6, maxBatchRows: heavyBatchRows });
  const shipped = await scanModelRepository('models');
  const generated = await scanModelRepository(directory);
  const versions = [...shipped.versions, ...generated.versions];
  const filesOf = (name: string) => versions.findLast(({ manifest }) => manifest.name === name)!;
  const sentiment = createWorkload(filesOf('sentiment'), idsOf(sentimentIds, sentimentBuckets));
  const forecast = createWorkload(filesOf('energy-forecast'), features);
  const encoderOf = (name: string, { vocabulary }: { vocabulary: number }) =>
    createWorkload(filesOf(name), idsOf(encoderIds, vocabulary));
  const small = encoderOf('small-encoder', smallEncoder);
  const heavy = isHeavy ? encoderOf('heavy-encoder', miniLmL6) : null;
  const used = [sentiment, forecast, small, ...(heavy === null ? [] : [heavy])];
  return { repository: { versions: used.map(({ files }) => files), failures: [] }, sentiment, forecast, small, heavy };
}

/** Rows as one input; all of the workload's length. */
export function joinRows({ input }: Workload, rows: readonly Row[]): Batch {
  const data =
    input.type === 'int32' ? new Int32Array(rows.length * input.length) : new Float32Array(rows.length * input.length);
  for (const [at, row] of rows.entries()) data.set(row[input.name]!.data as Float32Array, at * input.length);
  return { data, rows: rows.length };
}

/** A batch of rows that differ; as many as the manifest allows unless said otherwise. */
export function nextBatch(workload: Workload, rows = workload.files.manifest.maxBatchRows): Batch {
  const made = Array.from({ length: rows }, () => workload.nextRow());
  return joinRows(workload, made);
}

type RowMaker = (random: Random, length: number | string) => Int32Array | Float32Array;

function idsOf(length: number, vocabulary: number): RowMaker {
  return (random) => Int32Array.from({ length }, () => 1 + random.integer(vocabulary - 1));
}

const features: RowMaker = (random, length) => Float32Array.from({ length: Number(length) }, () => random.next());

function createWorkload(files: ModelFiles, makeRow: RowMaker): Workload {
  const { name: model, version, inputs, outputs } = files.manifest;
  const [{ name, type, shape }, { name: output }] = [inputs[0]!, outputs[0]!];
  const random = createRandom(7);
  const rows = Array.from({ length: rowsMade }, (): Row => {
    const data = makeRow(random, shape[1]!);
    return { [name]: { data, dims: [data.length] } };
  });
  const input = { name, type: type as RowInput['type'], length: rows[0]![name]!.data.length };
  let asked = 0;
  return { model, version, files, input, output, nextRow: () => rows[asked++ % rowsMade]! };
}
