/** From checked rows to batches and back: which rows run together, how they are padded, and how results are cut out. */
import type { Row } from './engine.ts';
import type { Manifest, TensorSpec } from './manifest.ts';
import type { CheckedRow } from './row-check.ts';
import { type BatchTensor, copyBlock, elementCount, newTensorData } from './tensors.ts';

// One more batch costs about 0.1 ms of messages, a padded element of a text model about 20 ns. So another batch is only
// worth it when it saves far more than 5,000 elements; this much keeps the texts of one page in one batch.
const paddingWorthABatch = 65_536;

/** Splits rows into batches that may run on their own; within the manifest's maxBatchRows, and as few as sensible. */
export function planBatches(manifest: Manifest, rows: readonly CheckedRow[]): CheckedRow[][] {
  const isPadded = isPadding(manifest);
  const groups = isPadded ? [rows] : [...groupByAxes(rows).values()];
  return groups.flatMap((group) => cutBySize(group, manifest.maxBatchRows));
}

/** The input tensors of a batch, in the manifest's order; each dynamic axis is as long as its longest row, at least 1. */
export function packBatch(manifest: Manifest, rows: readonly CheckedRow[]): BatchTensor[] {
  const axes = longestAxes(rows, isPadding(manifest) ? 1 : 0);
  return manifest.inputs.map((spec) => {
    const dims = resolveShape(spec, axes);
    const rowElements = elementCount(dims);
    const data = newTensorData(spec.type, rows.length * rowElements);
    rows.forEach(({ row }, position) => {
      const source = row[spec.name]!;
      copyBlock({ ...source, offset: 0 }, { data, dims, offset: position * rowElements });
    });
    return { name: spec.name, type: spec.type, dims: [rows.length, ...dims], data };
  });
}

/** One row of a batch's outputs as copies, with dynamic axes cut to what the row's inputs had. */
export function unpackRow(manifest: Manifest, outputs: readonly BatchTensor[], row: CheckedRow, position: number): Row {
  return Object.fromEntries(
    outputs.map(({ name, type, dims: [, ...batchDims], data }) => {
      const spec = manifest.outputs.find((output) => output.name === name)!;
      const dims = batchDims.map((size, axis) => Math.min(size, rowSize(spec, axis, row) ?? size));
      const copy = newTensorData(type, elementCount(dims));
      copyBlock({ data, dims: batchDims, offset: position * elementCount(batchDims) }, { data: copy, dims, offset: 0 });
      return [name, { data: copy, dims }];
    }),
  );
}

// With two dynamic axes a tall row beside a wide one would pad to the product of both, so those run apart.
function isPadding(manifest: Manifest): boolean {
  const axes = new Set(manifest.inputs.flatMap(({ shape }) => shape.filter((size) => typeof size === 'string')));
  if (axes.size > 2) return false; // "batch" is one of them
  return (manifest.raggedRows ?? (manifest.task === 'TENSOR' ? 'separate' : 'pad')) === 'pad';
}

function groupByAxes(rows: readonly CheckedRow[]): Map<string, CheckedRow[]> {
  return Map.groupBy(rows, (row) => JSON.stringify([...row.axes]));
}

// Longest first: a batch ends when it is full, or when making the rows after it a batch of their own saves enough padding.
function cutBySize(rows: readonly CheckedRow[], maxRows: number): CheckedRow[][] {
  const sorted = rows.toSorted((a, b) => b.elements - a.elements);
  const batches: CheckedRow[][] = [];
  let batch: CheckedRow[] = [];
  sorted.forEach((row, position) => {
    const rowsToCome = Math.min(sorted.length - position, maxRows - batch.length);
    const saved = ((batch[0]?.elements ?? 0) - row.elements) * rowsToCome;
    if (batch.length > 0 && (batch.length === maxRows || saved >= paddingWorthABatch)) {
      batches.push(batch);
      batch = [];
    }
    batch.push(row);
  });
  if (batch.length > 0) batches.push(batch);
  return batches;
}

function longestAxes(rows: readonly CheckedRow[], minimum: number): Map<string, number> {
  const longest = new Map<string, number>();
  for (const { axes } of rows) {
    for (const [axis, size] of axes) longest.set(axis, Math.max(size, longest.get(axis) ?? minimum));
  }
  return longest;
}

function resolveShape(spec: TensorSpec, axes: ReadonlyMap<string, number>): number[] {
  const [, ...shape] = spec.shape;
  return shape.map((size) => (typeof size === 'number' ? size : axes.get(size)!));
}

function rowSize(spec: TensorSpec, axis: number, row: CheckedRow): number | undefined {
  const size = spec.shape[axis + 1];
  return typeof size === 'string' ? row.axes.get(size) : undefined;
}
