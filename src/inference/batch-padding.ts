/** Batches of allowed sizes only: rows of zeros are added before a run, and cut off after it. */
import { type BatchTensor, elementCount, newTensorData } from './tensors.ts';

/** The least allowed size that holds so many rows; `sizes` ascending, null: any size is allowed. */
export function allowedRows(rows: number, sizes: readonly number[] | null): number {
  return sizes?.find((size) => size >= rows) ?? rows;
}

/** The tensors with rows of zeros up to `rows`; the same ones when they have that many. */
export function padRows(tensors: readonly BatchTensor[], rows: number): readonly BatchTensor[] {
  return tensors.map((tensor) => {
    const [given, ...dims] = tensor.dims;
    if (given === rows) return tensor;
    const data = newTensorData(tensor.type, rows * elementCount(dims));
    (data as Float32Array).set(tensor.data as Float32Array);
    return { ...tensor, dims: [rows, ...dims], data };
  });
}

/** The first `rows` rows of each tensor, in the same memory. */
export function cutRows(tensors: readonly BatchTensor[], rows: number): BatchTensor[] {
  return tensors.map((tensor) => {
    const [given, ...dims] = tensor.dims;
    if (given === rows) return tensor;
    return { ...tensor, dims: [rows, ...dims], data: tensor.data.subarray(0, rows * elementCount(dims)) };
  });
}
