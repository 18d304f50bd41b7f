/** From checked rows to batches and back: which rows run together, how they are padded, and how results are cut out. */
import type { Row } from './engine.ts';
import type { Manifest, TensorSpec } from './manifest.ts';
import type { CheckedRow } from './row-check.ts';
import { type BatchTensor, copyBlock, elementCount, newTensorData } from './tensors.ts';

export type SizedRow = Omit<CheckedRow, 'index'>;

/** What bounds a batch. */
export interface BatchLimits {
  readonly maxRows: number;
  /** Padding included. One row may have more. */
  readonly maxElements: number;
  /** Elements of padding that another batch must save to be worth it. */
  readonly paddingWorthABatch: number;
}

/** Whether rows of different lengths run together, the shorter ones padded; otherwise only rows of one shape do. */
export function isPadding(manifest: Manifest): boolean {
  const axes = new Set(manifest.inputs.flatMap(({ shape }) => shape.filter((size) => typeof size === 'string')));
  // "batch" is one of them. With two more a tall row beside a wide one would pad to the product of both.
  if (axes.size > 2) return false;
  return (manifest.raggedRows ?? (manifest.task === 'TENSOR' ? 'separate' : 'pad')) === 'pad';
}

/** Of rows that may run together, in order of arrival, those that run with the first: similar lengths together. */
export function pickBatch<T extends SizedRow>(rows: readonly T[], limits: BatchLimits): readonly T[] {
  let shortest = Number.POSITIVE_INFINITY;
  let longest = 0;
  for (const { elements } of rows) {
    shortest = Math.min(shortest, elements);
    longest = Math.max(longest, elements);
  }
  const isWhole = rows.length <= limits.maxRows && rows.length * longest <= limits.maxElements;
  if (isWhole && (longest - shortest) * rows.length < limits.paddingWorthABatch) return rows;
  return cutBySize(rows, limits).find((batch) => batch.includes(rows[0]!)) ?? [];
}

/** The input tensors of a batch, in the manifest's order; each dynamic axis is as long as its longest row, at least 1. */
export function packBatch(manifest: Manifest, rows: readonly SizedRow[]): BatchTensor[] {
  const axes = longestAxes(rows, isPadding(manifest) ? 1 : 0);
  return manifest.inputs.map((spec) => {
    const dims = resolveShape(spec, axes);
    const rowElements = elementCount(dims);
    const data = newTensorData(spec.type, rows.length * rowElements);
    rows.forEach(({ row }, position) => {
      const source = row[spec.name]!;
      const to = { data, dims, offset: position * rowElements };
      // A vector, by far the most common row, needs no walk through its axes.
      if (dims.length === 1) (data as Float32Array).set(source.data as Float32Array, to.offset);
      else copyBlock({ ...source, offset: 0 }, to);
    });
    return { name: spec.name, type: spec.type, dims: [rows.length, ...dims], data };
  });
}

/** Cuts rows out of a batch's outputs, as copies with dynamic axes cut to what the row's inputs had. */
export function rowCutter(
  manifest: Manifest,
  outputs: readonly BatchTensor[],
): (row: SizedRow, position: number) => Row {
  const cuts = outputs.map((output) => {
    const spec = manifest.outputs.find(({ name }) => name === output.name)!;
    return { name: output.name, cut: tensorCutter(spec, output) };
  });
  return (row, position) => {
    const cut: Record<string, Row[string]> = {};
    for (const output of cuts) cut[output.name] = output.cut(row, position);
    return cut;
  };
}

function tensorCutter(spec: TensorSpec, { type, dims: [, ...batchDims], data }: BatchTensor) {
  const size = elementCount(batchDims);
  const isFixed = spec.shape.every((axis, at) => at === 0 || typeof axis === 'number');
  return (row: SizedRow, position: number): Row[string] => {
    const offset = position * size;
    if (isFixed) return { data: data.slice(offset, offset + size), dims: [...batchDims] };
    const dims = batchDims.map((length, axis) => Math.min(length, rowSize(spec, axis, row) ?? length));
    const copy = newTensorData(type, elementCount(dims));
    copyBlock({ data, dims: batchDims, offset }, { data: copy, dims, offset: 0 });
    return { data: copy, dims };
  };
}

// Longest first: a batch ends when it is full, or when making the rows after it a batch of their own saves enough padding.
function cutBySize<T extends SizedRow>(rows: readonly T[], limits: BatchLimits): T[][] {
  const sorted = rows.toSorted((a, b) => b.elements - a.elements);
  const batches: T[][] = [];
  let batch: T[] = [];
  sorted.forEach((row, position) => {
    const longest = batch[0]?.elements ?? 0;
    const isFull = batch.length >= limits.maxRows || (batch.length + 1) * longest > limits.maxElements;
    const rowsToCome = Math.min(sorted.length - position, limits.maxRows - batch.length);
    const saved = (longest - row.elements) * rowsToCome;
    if (batch.length > 0 && (isFull || saved >= limits.paddingWorthABatch)) {
      batches.push(batch);
      batch = [];
    }
    batch.push(row);
  });
  if (batch.length > 0) batches.push(batch);
  return batches;
}

function longestAxes(rows: readonly SizedRow[], minimum: number): Map<string, number> {
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

function rowSize(spec: TensorSpec, axis: number, row: SizedRow): number | undefined {
  const size = spec.shape[axis + 1];
  return typeof size === 'string' ? row.axes.get(size) : undefined;
}
