/** Rows whose right outputs are known, because each ran alone in a bare thread. */

import { maxDifference } from '../../models/training/artifact.ts';
import type { InferenceError, Row, RowResult } from '../../src/inference/engine.ts';
import type { ModelFiles } from '../../src/inference/repository.ts';
import { startRawPool } from './raw-pool.ts';
import { joinRows, type Workload } from './workload.ts';

export interface KnownRows {
  readonly workload: Workload;
  readonly rows: readonly Row[];
  /** By the sha256 of model.onnx. */
  readonly outputs: ReadonlyMap<string, readonly Float32Array[]>;
}

// float32 sums in another order; a wrong row differs by 0.01 and more.
const tolerance = 1e-5;

/** Answers the same rows by the workload's own file and by others of the same inputs and outputs. */
export async function answerRows(
  workload: Workload,
  count: number,
  others: readonly ModelFiles[] = [],
): Promise<KnownRows> {
  const rows = Array.from({ length: count }, () => workload.nextRow());
  const outputs = new Map<string, readonly Float32Array[]>();
  for (const files of [workload.files, ...others]) {
    const raw = startRawPool({ ...workload, files }, 1);
    outputs.set(files.manifest.sha256, await raw.answer(joinRows(workload, rows)));
    await raw.close();
  }
  return { workload, rows, outputs };
}

/** Whether an answer is what the file with that sha256 gives that row alone. */
export function isRight(
  { workload, outputs }: KnownRows,
  { sha256, row }: { readonly sha256: string; readonly row: number },
  result: Exclude<RowResult, InferenceError>,
): boolean {
  const output = result.outputs[workload.output];
  const right = outputs.get(sha256)?.[row];
  if (output === undefined || right === undefined) return false;
  return maxDifference(output.data as Float32Array, right) <= tolerance;
}
