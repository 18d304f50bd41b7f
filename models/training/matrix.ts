/** Products of row-major matrices in 32-bit floats, tiled so that sums stay in registers. */

/** out [rows, columns] += a [rows, inner] x b [inner, columns]. */
export function multiplyAdd(
  a: Float32Array,
  b: Float32Array,
  out: Float32Array,
  rows: number,
  inner: number,
  columns: number,
): void {
  const tiledRows = rows - (rows % 4);
  const tiledColumns = columns - (columns % 2);
  for (let row = 0; row < tiledRows; row += 4) {
    for (let column = 0; column < tiledColumns; column += 2) addTile(a, b, out, row, column, inner, columns);
  }
  for (let row = 0; row < rows; row++) {
    const from = row < tiledRows ? tiledColumns : 0;
    for (let column = from; column < columns; column++) addCell(a, b, out, row, column, inner, columns);
  }
}

/** out [columns, rows] = a [rows, columns] turned over. */
export function transpose(a: Float32Array, out: Float32Array, rows: number, columns: number): void {
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) out[column * rows + row] = a[row * columns + column]!;
  }
}

/** Adds the products of a tile of 4 rows and 2 columns. */
function addTile(
  a: Float32Array,
  b: Float32Array,
  out: Float32Array,
  row: number,
  column: number,
  inner: number,
  columns: number,
): void {
  let s00 = 0;
  let s01 = 0;
  let s10 = 0;
  let s11 = 0;
  let s20 = 0;
  let s21 = 0;
  let s30 = 0;
  let s31 = 0;
  const a0 = row * inner;
  const a1 = a0 + inner;
  const a2 = a1 + inner;
  const a3 = a2 + inner;
  for (let p = 0, at = column; p < inner; p++, at += columns) {
    const b0 = b[at]!;
    const b1 = b[at + 1]!;
    s00 += a[a0 + p]! * b0;
    s01 += a[a0 + p]! * b1;
    s10 += a[a1 + p]! * b0;
    s11 += a[a1 + p]! * b1;
    s20 += a[a2 + p]! * b0;
    s21 += a[a2 + p]! * b1;
    s30 += a[a3 + p]! * b0;
    s31 += a[a3 + p]! * b1;
  }
  const o = row * columns + column;
  out[o]! += s00;
  out[o + 1]! += s01;
  out[o + columns]! += s10;
  out[o + columns + 1]! += s11;
  out[o + 2 * columns]! += s20;
  out[o + 2 * columns + 1]! += s21;
  out[o + 3 * columns]! += s30;
  out[o + 3 * columns + 1]! += s31;
}

function addCell(
  a: Float32Array,
  b: Float32Array,
  out: Float32Array,
  row: number,
  column: number,
  inner: number,
  columns: number,
): void {
  let sum = 0;
  for (let p = 0; p < inner; p++) sum += a[row * inner + p]! * b[p * columns + column]!;
  out[row * columns + column]! += sum;
}
