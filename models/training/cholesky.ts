/** Solves symmetric positive definite systems. */

/** Replaces the lower triangle of a [size, size] by its Cholesky factor; throws if it is not positive definite. */
export function factorCholesky(a: Float64Array, size: number): void {
  for (let row = 0; row < size; row++) {
    for (let column = 0; column <= row; column++) {
      let rest = a[row * size + column]!;
      for (let k = 0; k < column; k++) rest -= a[row * size + k]! * a[column * size + k]!;
      if (column < row) a[row * size + column] = rest / a[column * size + column]!;
      else if (rest > 0) a[row * size + row] = Math.sqrt(rest);
      else throw new Error('expected a positive definite matrix');
    }
  }
}

/** The solution [size, columns] of a x = right, where `factor` is the Cholesky factor of a. */
export function solveCholesky(factor: Float64Array, size: number, right: Float64Array, columns: number): Float64Array {
  const x = right.slice();
  for (let row = 0; row < size; row++) {
    for (let k = 0; k < row; k++) addRow(x, row, k, -factor[row * size + k]!, columns);
    scaleRow(x, row, 1 / factor[row * size + row]!, columns);
  }
  for (let row = size - 1; row >= 0; row--) {
    for (let k = row + 1; k < size; k++) addRow(x, row, k, -factor[k * size + row]!, columns);
    scaleRow(x, row, 1 / factor[row * size + row]!, columns);
  }
  return x;
}

/** x[row] += factor * x[other] */
function addRow(x: Float64Array, row: number, other: number, factor: number, columns: number): void {
  const [to, from] = [row * columns, other * columns];
  for (let i = 0; i < columns; i++) x[to + i]! += factor * x[from + i]!;
}

function scaleRow(x: Float64Array, row: number, factor: number, columns: number): void {
  for (let i = row * columns; i < (row + 1) * columns; i++) x[i]! *= factor;
}
