/** What the bench asks of each model: rows that differ, and full batches of them. */
import { encoderOutputName, miniLmL6, smallEncoder, writeEncoderVersion } from '../../models/training/heavy-model.ts';
import { createRandom } from '../../models/training/random.ts';
import { sentimentBuckets } from '../../src/domains/predictions/sentiment.ts';
import type { Row } from '../../src/inference/engine.ts';
import { type ModelFiles, type ModelRepository, scanModelRepository } from '../../src/inference/repository.ts';

export interface Workload {
  readonly model: string;
  readonly version: string;
  readonly files: ModelFiles;
  readonly output: string;
  readonly idsPerRow: number;
  /** A row that was not asked before: neither a cache nor the merging of equal rows answers in the model's place. */
  nextRow(): Row;
}

/** Ids of rows, one row after the other. */
export interface Batch {
  readonly ids: Int32Array;
  readonly rows: number;
}

export interface Workloads {
  readonly repository: ModelRepository;
  readonly sentiment: Workload;
  readonly small: Workload;
  /** Null unless it was asked for. */
  readonly heavy: Workload | null;
}

const idsInput = 'input_ids';
// A short message: 64 ids of the sentiment model are about 10 words.
const sentimentIds = 64;
const encoderIds = 32;
// Batches beyond these make no more rows a second on a CPU: 1.14 times from 1 row to 32 rows of MiniLM-L6.
const smallBatchRows = 64;
const heavyBatchRows = 8;

/** The sentiment model, the small encoder and, if wished, the heavy one; the encoders are written into the directory. */
export async function createWorkloads(directory: string, isHeavy: boolean): Promise<Workloads> {
  writeEncoderVersion(directory, { name: 'small-encoder', shape: smallEncoder, maxBatchRows: smallBatchRows });
  if (isHeavy) writeEncoderVersion(directory, { name: 'heavy-encoder', shape: miniLmL6, maxBatchRows: heavyBatchRows });
  const shipped = await scanModelRepository('models');
  const generated = await scanModelRepository(directory);
  const versions = [...shipped.versions.filter(({ manifest }) => manifest.name === 'sentiment'), ...generated.versions];
  const filesOf = (name: string) => withoutCache(versions.findLast(({ manifest }) => manifest.name === name)!);
  const encoderOf = (name: string, vocabulary: number) =>
    createWorkload(filesOf(name), { output: encoderOutputName, idsPerRow: encoderIds, vocabulary });
  const sentiment = createWorkload(filesOf('sentiment'), {
    output: 'probabilities',
    idsPerRow: sentimentIds,
    vocabulary: sentimentBuckets,
  });
  const small = encoderOf('small-encoder', smallEncoder.vocabulary);
  const heavy = isHeavy ? encoderOf('heavy-encoder', miniLmL6.vocabulary) : null;
  const used = [sentiment, small, ...(heavy === null ? [] : [heavy])];
  return { repository: { versions: used.map(({ files }) => files), failures: [] }, sentiment, small, heavy };
}

/** Rows as one input; all of the workload's length. */
export function joinRows(workload: Workload, rows: readonly Row[]): Batch {
  const ids = new Int32Array(rows.length * workload.idsPerRow);
  for (const [at, row] of rows.entries()) ids.set(row[idsInput]!.data as Int32Array, at * workload.idsPerRow);
  return { ids, rows: rows.length };
}

/** A batch of rows that differ; as many as the manifest allows unless said otherwise. */
export function nextBatch(workload: Workload, rows = workload.files.manifest.maxBatchRows): Batch {
  const made = Array.from({ length: rows }, () => workload.nextRow());
  return joinRows(workload, made);
}

// The model is what is measured.
function withoutCache(files: ModelFiles): ModelFiles {
  return { ...files, manifest: { ...files.manifest, deterministic: false } };
}

function createWorkload(
  files: ModelFiles,
  { output, idsPerRow, vocabulary }: { output: string; idsPerRow: number; vocabulary: number },
): Workload {
  const random = createRandom(7);
  const bases = Array.from({ length: 256 }, () =>
    Int32Array.from({ length: idsPerRow }, () => 1 + random.integer(vocabulary - 1)),
  );
  let made = 0;
  return {
    model: files.manifest.name,
    version: files.manifest.version,
    files,
    output,
    idsPerRow,
    nextRow() {
      const ids = bases[made % bases.length]!.slice();
      ids[0] = 1 + (made % (vocabulary - 1));
      ids[1] = 1 + (Math.floor(made / (vocabulary - 1)) % (vocabulary - 1));
      made += 1;
      return { [idsInput]: { data: ids, dims: [idsPerRow] } };
    },
  };
}
