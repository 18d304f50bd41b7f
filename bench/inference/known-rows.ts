/** Rows whose right outputs are known, because each ran alone in a bare thread. */

import { maxDifference } from '../../models/training/artifact.ts';
import type { InferenceError, Row, RowResult } from '../../src/inference/engine.ts';
import { startRawPool } from './raw-pool.ts';
import { joinRows, type Workload } from './workload.ts';

export interface KnownRows {
  readonly workload: Workload;
  readonly rows: readonly Row[];
  readonly outputs: readonly Float32Array[];
}

// float32 sums in another order; a wrong row differs by 0.01 and more.
const tolerance = 1e-5;

export async function answerRows(workload: Workload, count: number): Promise<KnownRows> {
  const rows = Array.from({ length: count }, () => workload.nextRow());
  const raw = startRawPool(workload, 1);
  const outputs = await raw.answer(joinRows(workload, rows));
  await raw.close();
  return { workload, rows, outputs };
}

/** Whether an answer is what that row has alone. */
export function isRight(
  { workload, outputs }: KnownRows,
  row: number,
  result: Exclude<RowResult, InferenceError>,
): boolean {
  const output = result.outputs[workload.output];
  return output !== undefined && maxDifference(output.data as Float32Array, outputs[row]!) <= tolerance;
}
