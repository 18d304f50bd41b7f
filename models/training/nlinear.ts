/** NLinear (Zeng et al., AAAI 2023): subtract the last value, a linear map, add it back. Fitted in closed form (ridge). */
import { factorCholesky, solveCholesky } from './cholesky.ts';
import { multiplyAdd } from './matrix.ts';

/** Sums of products over all windows of some series: all that fitting and its squared error need. */
export interface Moments {
  lookback: number;
  horizon: number;
  windows: number;
  /** [lookback + 1, lookback + 1] of inputs; the last input is the constant 1. */
  gram: Float64Array;
  /** [lookback + 1, horizon] of inputs and targets */
  cross: Float64Array;
  /** Of all squared targets. */
  targetSquares: number;
}
/** [lookback + 1, horizon] weights; the last row is the bias. */
export type NLinearWeights = Float64Array;

// The constant's own ridge: small, but the matrix stays positive definite.
const constantRidge = 1e-6;
const evaluationRows = 128;

/** Moments of the windows that lie in the steps from..to (exclusive) of the series, all series together. */
export function measureMoments(
  series: readonly Float64Array[],
  from: number,
  to: number,
  lookback: number,
  horizon: number,
): Moments {
  const size = lookback + 1;
  const moments: Moments = {
    lookback,
    horizon,
    windows: 0,
    gram: new Float64Array(size * size),
    cross: new Float64Array(size * horizon),
    targetSquares: 0,
  };
  for (const values of series) addMoments(moments, values.subarray(from, to));
  return moments;
}

/** Weights for a ridge strength. */
export function fitNLinear(moments: Moments, ridge: number): NLinearWeights {
  const size = moments.lookback + 1;
  const factor = moments.gram.slice();
  for (let i = 0; i < size; i++) factor[i * size + i]! += i < moments.lookback ? ridge : constantRidge;
  factorCholesky(factor, size);
  return solveCholesky(factor, size, moments.cross, moments.horizon);
}

/** Mean squared error of weights on the windows of some moments, without visiting the windows. */
export function squaredErrorOf(weights: NLinearWeights, moments: Moments): number {
  const { horizon, gram, cross } = moments;
  const size = moments.lookback + 1;
  let sum = moments.targetSquares;
  const product = new Float64Array(horizon);
  for (let row = 0; row < size; row++) {
    product.fill(0);
    for (let k = 0; k < size; k++) {
      const factor = gram[row * size + k]!;
      for (let h = 0; h < horizon; h++) product[h]! += factor * weights[k * horizon + h]!;
    }
    for (let h = 0; h < horizon; h++) {
      const at = row * horizon + h;
      sum += weights[at]! * (product[h]! - 2 * cross[at]!);
    }
  }
  return sum / (moments.windows * horizon);
}

/** Mean squared and absolute error over the windows in the steps from..to (exclusive), all series together. */
export function evaluateNLinear(
  weights: NLinearWeights,
  series: readonly Float64Array[],
  from: number,
  to: number,
  lookback: number,
  horizon: number,
): { mse: number; mae: number } {
  const matrix = Float32Array.from(weights.subarray(0, lookback * horizon));
  const bias = Float32Array.from(weights.subarray(lookback * horizon));
  let [squares, absolutes, count] = [0, 0, 0];
  for (const values of series) {
    const last = to - lookback - horizon;
    for (let first = from; first <= last; first += evaluationRows) {
      const rows = Math.min(evaluationRows, last - first + 1);
      const errors = forecastErrors(matrix, bias, values, first, rows, lookback);
      for (const error of errors) {
        squares += error * error;
        absolutes += Math.abs(error);
      }
      count += errors.length;
    }
  }
  return { mse: squares / count, mae: absolutes / count };
}

/** [rows, horizon] forecast minus truth of neighbouring windows. */
function forecastErrors(
  matrix: Float32Array,
  bias: Float32Array,
  values: Float64Array,
  first: number,
  rows: number,
  lookback: number,
): Float32Array {
  const horizon = bias.length;
  const inputs = new Float32Array(rows * lookback);
  const errors = new Float32Array(rows * horizon);
  for (let row = 0; row < rows; row++) {
    const start = first + row;
    const level = values[start + lookback - 1]!;
    for (let i = 0; i < lookback; i++) inputs[row * lookback + i] = values[start + i]! - level;
    for (let h = 0; h < horizon; h++) errors[row * horizon + h] = bias[h]! + level - values[start + lookback + h]!;
  }
  multiplyAdd(inputs, matrix, errors, rows, lookback, horizon);
  return errors;
}

function addMoments(moments: Moments, values: Float64Array): void {
  const { lookback, horizon, gram, cross } = moments;
  const size = lookback + 1;
  const width = lookback + horizon;
  const windows = Math.max(0, values.length - width + 1);
  const last = lookback - 1;
  const products = laggedProducts(values, windows, width);
  const sums = windowSums(values, windows, width);
  // Of values less the window's last one: sum (a - l)(b - l) = ab - al - lb + ll.
  const centred = (a: number, b: number) =>
    products[a * width + b]! -
    products[a * width + last]! -
    products[last * width + b]! +
    products[last * width + last]!;
  for (let i = 0; i < lookback; i++) {
    for (let j = 0; j < lookback; j++) gram[i * size + j]! += centred(i, j);
    for (let h = 0; h < horizon; h++) cross[i * horizon + h]! += centred(i, lookback + h);
    gram[i * size + lookback]! += sums[i]! - sums[last]!;
    gram[lookback * size + i]! += sums[i]! - sums[last]!;
  }
  for (let h = 0; h < horizon; h++) {
    cross[lookback * horizon + h]! += sums[lookback + h]! - sums[last]!;
    moments.targetSquares += centred(lookback + h, lookback + h);
  }
  gram[size * size - 1]! += windows;
  moments.windows += windows;
}

/**
 * [width, width]: sum over windows s of values[s + i] * values[s + j]. Along a diagonal only one window leaves and one
 * enters, so the cost does not grow with the number of windows.
 */
function laggedProducts(values: Float64Array, windows: number, width: number): Float64Array {
  const products = new Float64Array(width * width);
  for (let j = 0; j < width; j++) {
    let sum = 0;
    for (let s = 0; s < windows; s++) sum += values[s]! * values[s + j]!;
    products[j] = sum;
  }
  for (let i = 1; i < width; i++) {
    for (let j = i; j < width; j++) {
      const leaving = values[i - 1]! * values[j - 1]!;
      const entering = values[i - 1 + windows]! * values[j - 1 + windows]!;
      products[i * width + j] = products[(i - 1) * width + j - 1]! - leaving + entering;
    }
  }
  for (let i = 0; i < width; i++) for (let j = 0; j < i; j++) products[i * width + j] = products[j * width + i]!;
  return products;
}

function windowSums(values: Float64Array, windows: number, width: number): Float64Array {
  const sums = new Float64Array(width);
  for (let s = 0; s < windows; s++) sums[0]! += values[s]!;
  for (let i = 1; i < width; i++) sums[i] = sums[i - 1]! - values[i - 1]! + values[i - 1 + windows]!;
  return sums;
}
