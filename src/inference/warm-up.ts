/** The first runs of a session: whether it runs at all, at each size it will see, and whether rows leave each other alone. */
import { firstLine } from './execution-providers.ts';
import type { Manifest, TensorSpec } from './manifest.ts';
import { type BatchTensor, elementCount, newTensorData } from './tensors.ts';

export type RunBatch = (inputs: readonly BatchTensor[]) => Promise<readonly BatchTensor[]>;

/**
 * Runs zeros at each of the sizes (null: any size may come, two rows stand for all). Throws an Error of one line when the
 * model cannot run them, or when it says it is deterministic but a row's outputs depend on the rows beside it.
 */
export async function warmUp(manifest: Manifest, sizes: readonly number[] | null, run: RunBatch): Promise<void> {
  const [first = Math.min(2, manifest.maxBatchRows), ...others] = sizes ?? [];
  const axisSize = await findAxisSize(manifest, first, run);
  for (const rows of others) await runZeros(manifest, rows, axisSize, run);
  if (manifest.deterministic && manifest.maxBatchRows > 1) await checkRowsApart(manifest, axisSize, run);
}

// Some models need more than one step on a dynamic axis (a convolution, for one), so larger sizes are tried as well.
const axisSizes = [1, 16, 128];

async function findAxisSize(manifest: Manifest, rows: number, run: RunBatch): Promise<number> {
  let failure: unknown;
  for (const axisSize of axisSizes) {
    try {
      await runZeros(manifest, rows, axisSize, run);
      return axisSize;
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

async function runZeros(manifest: Manifest, rows: number, axisSize: number, run: RunBatch): Promise<void> {
  try {
    await run(makeBatch(manifest, rows, axisSize, () => 0));
  } catch (error) {
    throw new Error(`model.onnx: cannot run ${rows} rows of zeros: ${firstLine(error)}`);
  }
}

/**
 * How much a row may change with its batch mates, relative to the largest element of its output. Full precision differs in
 * the last bits only (measured: 2e-7, also for the INT8 variants made here). Rounding to 8 or 16 bits can turn such bits
 * into steps, but one scale for a whole batch, the usual fault of INT8 models, is far above that here, where one row is 100
 * times as large as the other.
 */
const tolerances = { FP32: 1e-3, FP16: 1e-2, INT8: 5e-3 };

async function checkRowsApart(manifest: Manifest, axisSize: number, run: RunBatch): Promise<void> {
  const [small, large] = [sampleRow(manifest, axisSize, 0.1), sampleRow(manifest, axisSize, 10)] as const;
  let apart: (readonly BatchTensor[])[];
  let together: readonly BatchTensor[];
  try {
    apart = [await run(small), await run(large)];
    together = await run(small.map((tensor, index) => stack(tensor, large[index]!)));
  } catch {
    return; // only zeros are sure to be valid inputs
  }
  for (const [index, { name, type, data }] of together.entries()) {
    const rows = apart.map((outputs) => outputs[index]!.data);
    if (!type.startsWith('float') || rows[0]!.length + rows[1]!.length !== data.length) continue;
    const difference = largestDifference(rows as Float32Array[], data as Float32Array);
    if (difference <= tolerances[manifest.precision]) continue;
    const found = `got ones of ${name} that differ by ${Number(difference.toPrecision(2))}`;
    throw new Error(
      `manifest.json: deterministic: expected the outputs of a row to be the same beside other rows, ${found}`,
    );
  }
}

// Floats around 0; whole numbers are 0 or 1, which are valid as ids of any table. The same at every start.
function sampleRow(manifest: Manifest, axisSize: number, scale: number): BatchTensor[] {
  let state = scale < 1 ? 1 : 2;
  const next = () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  return makeBatch(manifest, 1, Math.max(16, axisSize), (type) =>
    type.startsWith('float') ? (next() - 0.5) * scale : Math.round(next()),
  );
}

function makeBatch(
  manifest: Manifest,
  rows: number,
  axisSize: number,
  element: (type: TensorSpec['type']) => number,
): BatchTensor[] {
  return manifest.inputs.map(({ name, type, shape: [, ...shape] }) => {
    const dims = [rows, ...shape.map((size) => (typeof size === 'number' ? size : axisSize))];
    const data = newTensorData(type, elementCount(dims));
    for (let index = 0; index < data.length; index++) {
      const value = element(type);
      data[index] = data instanceof BigInt64Array || data instanceof BigUint64Array ? BigInt(value) : value;
    }
    return { name, type, dims, data };
  });
}

function stack(first: BatchTensor, second: BatchTensor): BatchTensor {
  const data = newTensorData(first.type, first.data.length + second.data.length) as Float32Array;
  data.set(first.data as Float32Array);
  data.set(second.data as Float32Array, first.data.length);
  return { ...first, dims: [2, ...first.dims.slice(1)], data };
}

// Relative to the largest element of the row, but to 1 % of the other row's at least: what cancels out to almost nothing
// in a row is noise. Elements that are not finite in both count as equal.
function largestDifference(rows: readonly Float32Array[], together: Float32Array): number {
  const sizes = rows.map((row) =>
    row.reduce((most, value) => Math.max(most, Number.isFinite(value) ? Math.abs(value) : 0), 0),
  );
  const least = Math.max(...sizes) / 100;
  let largest = 0;
  let offset = 0;
  for (const [at, row] of rows.entries()) {
    for (const [index, alone] of row.entries()) {
      const beside = together[offset + index]!;
      if (alone === beside || (!Number.isFinite(alone) && !Number.isFinite(beside))) continue;
      largest = Math.max(largest, Math.abs(beside - alone) / Math.max(sizes[at]!, least));
    }
    offset += row.length;
  }
  return largest;
}
