// What a network has besides batch normalization, in plain loops.

/** A convolution of 3×3 with padding 1. x is samples × channels × side × side, weight is out × channels/groups × 3 × 3. */
export function convolve(x, [samples, channels, side], { weight, bias }, groups = 1) {
  const [out, inner] = weight.shape;
  const y = new Float32Array(samples * out * side * side);
  const at = (n, c, row, column) =>
    row < 0 || column < 0 || row >= side || column >= side ? 0 : x[((n * channels + c) * side + row) * side + column];
  for (let i = 0; i < y.length; i++) {
    const [column, row] = [i % side, Math.floor(i / side) % side];
    const [k, n] = [Math.floor(i / side / side) % out, Math.floor(i / side / side / out)];
    const first = Math.floor((k * groups) / out) * inner;
    let sum = bias ? bias[k] : 0;
    for (let c = 0; c < inner; c++)
      for (let tap = 0; tap < 9; tap++)
        sum +=
          weight.data[(k * inner + c) * 9 + tap] *
          at(n, first + c, row + Math.floor(tap / 3) - 1, column + (tap % 3) - 1);
    y[i] = sum;
  }
  return y;
}

/** The mean of each plane: samples × channels. */
export function planeMeans(x, area) {
  return Float32Array.from({ length: x.length / area }, (_, i) => {
    return x.subarray(i * area, (i + 1) * area).reduce((sum, value) => sum + value, 0) / area;
  });
}

/** x·weightᵀ + bias. */
export function linear(x, { weight, bias }) {
  const [out, inner] = weight.shape;
  return Float32Array.from({ length: (x.length / inner) * out }, (_, i) => {
    const row = x.subarray(Math.floor(i / out) * inner).subarray(0, inner);
    return row.reduce((sum, value, c) => sum + value * weight.data[(i % out) * inner + c], bias[i % out]);
  });
}

export const relu = (x) => x.map((value) => Math.max(value, 0));
