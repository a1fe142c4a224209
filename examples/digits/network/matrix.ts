// The dense layers' matrix products, row-major float32. Plain loops: they need no dependency, give the
// same bits on every run, and measured about three times as fast as @stdlib/blas-base-sgemm (on the
// pixels, four fifths of which are 0, about ten times, because zeros are left out).

/** The sizes of a dense map's product: x is rows × inputs, its weight inputs × outputs, y rows × outputs. */
export interface Size {
  readonly rows: number;
  readonly inputs: number;
  readonly outputs: number;
}

/** The three products of a dense map. Each overwrites its last argument; a faster library may take their place. */
export interface Products {
  /** y = x·weight */
  readonly forward: (size: Size, x: Float32Array, weight: Float32Array, y: Float32Array) => void;
  /** dx = dy·weightᵀ */
  readonly gradInput: (size: Size, dy: Float32Array, weight: Float32Array, dx: Float32Array) => void;
  /** dweight = xᵀ·dy */
  readonly gradWeight: (size: Size, x: Float32Array, dy: Float32Array, dweight: Float32Array) => void;
}

export const plainProducts: Products = {
  forward({ rows, inputs, outputs }, x, weight, y) {
    addProduct(matrix(x, rows, inputs), weight, y.fill(0), outputs);
  },
  gradInput({ rows, inputs, outputs }, dy, weight, dx) {
    addProduct(matrix(dy, rows, outputs), transpose(weight, inputs, outputs), dx.fill(0), inputs);
  },
  gradWeight({ rows, inputs, outputs }, x, dy, dweight) {
    addProduct(transposed(matrix(x, rows, inputs)), dy, dweight.fill(0), outputs);
  },
};

/** A matrix by strides, so that a transpose is a view: element (i, k) is at i·rowStride + k·columnStride. */
export interface Matrix {
  readonly data: Float32Array;
  readonly rows: number;
  readonly columns: number;
  readonly rowStride: number;
  readonly columnStride: number;
}

export function matrix(data: Float32Array, rows: number, columns: number): Matrix {
  return { data, rows, columns, rowStride: columns, columnStride: 1 };
}

export function transposed(a: Matrix): Matrix {
  return { data: a.data, rows: a.columns, columns: a.rows, rowStride: a.columnStride, columnStride: a.rowStride };
}

/** c += a·b, where b is a.columns × width and c is a.rows × width, both contiguous. */
export function addProduct(a: Matrix, b: Float32Array, c: Float32Array, width: number): void {
  const nonZero = new Int32Array(a.columns);
  for (let i = 0; i < a.rows; i++) {
    const row = i * a.rowStride;
    let found = 0;
    for (let k = 0; k < a.columns; k++) {
      if (a.data[row + k * a.columnStride] !== 0) nonZero[found++] = k;
    }
    addRows(a, row, nonZero, found, b, c, i * width, width);
  }
}

/**
 * c[start + j] += Σ a[row, k]·b[k, j] over the `found` columns k of `used`. Four rows of b at a time: c is
 * read and written a quarter as often (measured: 0.5 → 1.0 multiply-adds per nanosecond).
 */
function addRows(
  a: Matrix,
  row: number,
  used: Int32Array,
  found: number,
  b: Float32Array,
  c: Float32Array,
  start: number,
  width: number,
): void {
  const { data, columnStride } = a;
  let t = 0;
  for (; t + 4 <= found; t += 4) {
    const k0 = used[t]!,
      k1 = used[t + 1]!,
      k2 = used[t + 2]!,
      k3 = used[t + 3]!;
    const v0 = data[row + k0 * columnStride]!,
      v1 = data[row + k1 * columnStride]!;
    const v2 = data[row + k2 * columnStride]!,
      v3 = data[row + k3 * columnStride]!;
    const b0 = k0 * width,
      b1 = k1 * width,
      b2 = k2 * width,
      b3 = k3 * width;
    for (let j = 0; j < width; j++) {
      c[start + j] = c[start + j]! + v0 * b[b0 + j]! + v1 * b[b1 + j]! + v2 * b[b2 + j]! + v3 * b[b3 + j]!;
    }
  }
  for (; t < found; t++) {
    const k = used[t]!;
    const v = data[row + k * columnStride]!;
    for (let j = 0; j < width; j++) c[start + j]! += v * b[k * width + j]!;
  }
}

/** A contiguous copy of the transpose of a rows × columns matrix. */
export function transpose(data: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(data.length);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) result[j * rows + i] = data[i * columns + j]!;
  }
  return result;
}
