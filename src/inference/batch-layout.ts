/** From checked rows to batches and back: which rows run together, how they are padded, and how results are cut out. */
import type { Row } from './engine.ts';
import type { Manifest } from './manifest.ts';
import type { CheckedRow } from './row-check.ts';
import { rowShapeOf, type TensorShape } from './row-shape.ts';
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
  // With two a tall row beside a wide one would pad to the product of both.
  if (rowShapeOf(manifest).axes > 1) return false;
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
  const shape = rowShapeOf(manifest);
  const longest = longestAxes(rows, shape.axes, isPadding(manifest) ? 1 : 0);
  return shape.inputs.map(({ spec: { name, type }, sizes, axes }) => {
    const dims = sizes.map((size, axis) => size ?? longest[axes[axis]!]!);
    const rowElements = elementCount(dims);
    const data = newTensorData(type, rows.length * rowElements);
    let offset = 0;
    for (const { row } of rows) {
      const source = row[name]!;
      // A vector, by far the most common row, needs no walk through its axes.
      if (dims.length === 1) (data as Float32Array).set(source.data as Float32Array, offset);
      else copyBlock({ ...source, offset: 0 }, { data, dims, offset });
      offset += rowElements;
    }
    return { name, type, dims: [rows.length, ...dims], data };
  });
}

/** Cuts rows out of a batch's outputs, as copies with dynamic axes cut to what the row's inputs had. */
export function rowCutter(
  manifest: Manifest,
  outputs: readonly BatchTensor[],
): (row: SizedRow, position: number) => Row {
  const shape = rowShapeOf(manifest);
  const cuts = outputs.map((output) => {
    return { name: output.name, cut: tensorCutter(shape.outputs.get(output.name)!, output) };
  });
  return (row, position) => {
    const cut: Record<string, Row[string]> = {};
    for (const output of cuts) cut[output.name] = output.cut(row, position);
    return cut;
  };
}

function tensorCutter({ isFixed, axes }: TensorShape, { type, dims: [, ...batchDims], data }: BatchTensor) {
  const size = elementCount(batchDims);
  return (row: SizedRow, position: number): Row[string] => {
    const offset = position * size;
    if (isFixed) return { data: data.slice(offset, offset + size), dims: batchDims };
    const dims = batchDims.map((length, axis) => Math.min(length, row.axes[axes[axis]!] ?? length));
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

function longestAxes(rows: readonly SizedRow[], count: number, minimum: number): number[] {
  const longest = new Array<number>(count).fill(minimum);
  for (const { axes } of rows) {
    for (let axis = 0; axis < count; axis++) if (axes[axis]! > longest[axis]!) longest[axis] = axes[axis]!;
  }
  return longest;
}
