// The exponential function, the logarithm and tanh of IEEE double operations alone. The language leaves the last bits of
// Math.exp, Math.log and Math.tanh to the engine; these give the same bits everywhere, so the same seed trains the same network.

const LN2 = 0.6931471805599453;
const LOG2_E = 1.4426950408889634;
/** What ln 2 has beyond the double nearest to it. */
const LN2_REST = 2.3190468138462996e-17;
/** ln 2 in two parts. The first has 32 bits, so that its product with an exponent is exact. */
const LN2_HIGH = Math.round(LN2 * 2 ** 32) / 2 ** 32;
const LN2_LOW = LN2 - LN2_HIGH + LN2_REST;
const LOWEST = -1074;
const HIGHEST = 1023;

/** 2^k at index k − LOWEST, by doubling, which is exact. */
const POWERS = new Float64Array(HIGHEST - LOWEST + 1);
POWERS[0] = Number.MIN_VALUE;
for (let i = 1; i < POWERS.length; i++) POWERS[i] = 2 * POWERS[i - 1]!;

/** e^x: x = k·ln 2 + r with |r| ≤ ½·ln 2, and the Taylor series of e^r, its even and its odd terms apart. */
export function exp(x: number): number {
  if (!(x < 709.782712893384)) return x === x ? Infinity : NaN;
  if (x < -745.2) return 0;
  const k = Math.floor(x * LOG2_E + 0.5);
  const r = x - k * LN2_HIGH - k * LN2_LOW;
  const s = r * r;
  const odd = 1 + s * (1 / 6 + s * (1 / 120 + s * (1 / 5040 + s * (1 / 362880 + s * (1 / 39916800 + s / 6227020800)))));
  const even = s * (1 / 2 + s * (1 / 24 + s * (1 / 720 + s * (1 / 40320 + s * (1 / 3628800 + s / 479001600)))));
  const power = 1 + (r * odd + even);
  if (k > HIGHEST) return 2 * power * POWERS[HIGHEST - LOWEST]!;
  return k < LOWEST ? power * 0.5 * Number.MIN_VALUE : power * POWERS[k - LOWEST]!;
}

/** The natural logarithm: x = m·2^k with m near 1, and ln m = 2·artanh((m − 1)/(m + 1)). */
export function log(x: number): number {
  if (!(x > 0 && x < Infinity)) return x === 0 ? -Infinity : x > 0 ? x : NaN;
  let m = x;
  let k = 0;
  for (; m > Math.SQRT2; k++) m /= 2;
  for (; m < Math.SQRT1_2; k--) m *= 2;
  const t = (m - 1) / (m + 1);
  const s = t * t;
  let sum = 0;
  for (let i = 21; i >= 3; i -= 2) sum = s * (sum + 1 / i);
  return k * LN2_HIGH + (k * LN2_LOW + 2 * t * sum + 2 * t);
}

/** Exact to float32: below 2^−12, x and tanh x differ by less than its rounding. */
export function tanh(x: number): number {
  const size = Math.abs(x);
  if (size < 2 ** -12) return x;
  const e = exp(-2 * size);
  const value = (1 - e) / (1 + e);
  return x < 0 ? -value : value;
}
