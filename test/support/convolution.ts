// Convolutions in plain float64, for any number of spatial axes: what a fold must not change.

export interface Convolution {
  readonly groups: number;
  /** Input and output channels of all groups. */
  readonly ins: number;
  readonly outs: number;
  readonly kernel: readonly number[];
  readonly stride: number;
  readonly padding: number;
}

/** [channels, spatial…] */
export interface Signal {
  readonly data: Float64Array;
  readonly shape: readonly number[];
}

export const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);

/** All positions of a box, in row-major order. */
export function positions(sizes: readonly number[]): number[][] {
  return sizes.reduce<number[][]>(
    (all, size) => all.flatMap((start) => Array.from({ length: size }, (_, i) => [...start, i])),
    [[]],
  );
}

/** The index of a position, or -1 outside of the box. */
export function indexOf(position: readonly number[], sizes: readonly number[]): number {
  if (position.some((at, axis) => at < 0 || at >= sizes[axis]!)) return -1;
  return position.reduce((index, at, axis) => index * sizes[axis]! + at, 0);
}

/** Calls `add` with every pair of positions that a tap connects. A transposed convolution has the roles exchanged. */
function connect(
  { kernel, stride, padding }: Convolution,
  large: readonly number[],
  small: readonly number[],
  add: (large: number, small: number, tap: number) => void,
): void {
  positions(small).forEach((position, at) => {
    positions(kernel).forEach((offset, tap) => {
      const other = indexOf(
        position.map((p, axis) => p * stride + offset[axis]! - padding),
        large,
      );
      if (other >= 0) add(other, at, tap);
    });
  });
}

/** Of a weight in torch's order, [out, in/groups, k…], or [in, out/groups, k…] if it is transposed. */
export function convolve(
  convolution: Convolution,
  x: Signal,
  weight: ArrayLike<number>,
  bias: ArrayLike<number> | null,
  isTransposed = false,
): Signal {
  const { groups, ins, outs, kernel, stride, padding } = convolution;
  const spatial = x.shape.slice(1);
  const sizes = spatial.map((size, axis) =>
    isTransposed
      ? (size - 1) * stride + kernel[axis]! - 2 * padding
      : Math.floor((size + 2 * padding - kernel[axis]!) / stride) + 1,
  );
  const [inner, outer, taps] = [product(spatial), product(sizes), product(kernel)];
  const y = new Float64Array(outs * outer);
  for (let o = 0; o < outs; o++) y.fill(bias ? bias[o]! : 0, o * outer, (o + 1) * outer);
  const [insOfGroup, outsOfGroup] = [ins / groups, outs / groups];
  for (let o = 0; o < outs; o++) {
    const group = Math.floor(o / outsOfGroup);
    for (let i = group * insOfGroup; i < (group + 1) * insOfGroup; i++) {
      const row = isTransposed
        ? i * outsOfGroup + (o - group * outsOfGroup)
        : o * insOfGroup + (i - group * insOfGroup);
      const add = (p: number, q: number, tap: number): void => {
        y[o * outer + q] = y[o * outer + q]! + weight[row * taps + tap]! * x.data[i * inner + p]!;
      };
      if (isTransposed) connect(convolution, sizes, spatial, (p, q, tap) => add(q, p, tap));
      else connect(convolution, spatial, sizes, add);
    }
  }
  return { data: y, shape: [outs, ...sizes] };
}

/** The elements of a tensor with its axes in another order: axis a of the result is axis `order[a]`. */
export function permuted<A extends Float64Array | Float32Array | Uint16Array>(
  data: A,
  shape: readonly number[],
  order: readonly number[],
): { data: A; shape: number[] } {
  const result = { data: data.slice() as A, shape: order.map((axis) => shape[axis]!) };
  positions(result.shape).forEach((position, at) => {
    const from = shape.map((_, axis) => position[order.indexOf(axis)]!);
    result.data[at] = data[indexOf(from, shape)]!;
  });
  return result;
}
