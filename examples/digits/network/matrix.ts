// The dense layers' matrix products, row-major float32. Plain loops: they need no dependency and give the same bits
// everywhere. Sums are made in double precision and rounded once, so that no loop converts more than it must. Zeros, four
// fifths of the pixels and half of what ReLU gives, are left out.

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
    product(matrix(x, rows, inputs), new Float64Array(weight), y, outputs);
  },
  gradInput({ rows, inputs, outputs }, dy, weight, dx) {
    product(matrix(dy, rows, outputs), transpose(weight, inputs, outputs), dx, inputs);
  },
  gradWeight({ rows, inputs, outputs }, x, dy, dweight) {
    product(transposed(matrix(x, rows, inputs)), new Float64Array(dy), dweight, outputs);
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

/** c = a·b, where b is a.columns × width and c is a.rows × width, both contiguous. Where a is 0, b does not count. */
export function product(a: Matrix, b: Float64Array, c: Float32Array, width: number): void {
  const { data, rows, columns, rowStride, columnStride } = a;
  const values = new Float64Array(columns);
  const starts = new Int32Array(columns);
  const sums = new Float64Array(width);
  for (let i = 0; i < rows; i++) {
    let found = 0;
    for (let k = 0, p = i * rowStride; k < columns; k++, p += columnStride) {
      const value = data[p]!;
      if (value === 0) continue;
      values[found] = value;
      starts[found++] = k * width;
    }
    addRows(values, starts, found, b, sums);
    for (let j = 0; j < width; j++) c[i * width + j] = sums[j]!;
    sums.fill(0);
  }
}

/** sums[j] += Σ values[t]·b[starts[t] + j]. Four rows of b at a time: the sums are read and written a quarter as often. */
function addRows(values: Float64Array, starts: Int32Array, found: number, b: Float64Array, sums: Float64Array): void {
  const width = sums.length;
  let t = 0;
  for (; t + 4 <= found; t += 4) {
    const [v0, v1, v2, v3] = [values[t]!, values[t + 1]!, values[t + 2]!, values[t + 3]!];
    const [b0, b1, b2, b3] = [starts[t]!, starts[t + 1]!, starts[t + 2]!, starts[t + 3]!];
    for (let j = 0; j < width; j++) {
      sums[j] = sums[j]! + v0 * b[b0 + j]! + v1 * b[b1 + j]! + v2 * b[b2 + j]! + v3 * b[b3 + j]!;
    }
  }
  for (; t < found; t++) {
    const value = values[t]!;
    const start = starts[t]!;
    for (let j = 0; j < width; j++) sums[j]! += value * b[start + j]!;
  }
}

/** A contiguous copy of the transpose of a rows × columns matrix. */
function transpose(data: Float32Array, rows: number, columns: number): Float64Array {
  const result = new Float64Array(data.length);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) result[j * rows + i] = data[i * columns + j]!;
  }
  return result;
}
