// Functions that engines compute in their last bits as they like (FMA on one architecture, another library on
// the next), in operations that IEEE 754 fixes: test data has the same bits on every machine.

/** 1 + x/a·(1 + x/b·(1 + …)) for the divisors a, b, …. */
function nested(x: number, divisors: readonly number[]): number {
  return divisors.reduceRight((sum, divisor) => 1 + (x / divisor) * sum, 1);
}

const SINE = Array.from({ length: 10 }, (_, i) => -(2 * i + 2) * (2 * i + 3));
const EXPONENTIAL = Array.from({ length: 14 }, (_, i) => i + 1);

/** Taylor series on the nearest half turn. */
export function sin(x: number): number {
  const halfTurns = Math.round(x / Math.PI);
  const rest = x - halfTurns * Math.PI;
  const value = rest * nested(rest * rest, SINE);
  return halfTurns % 2 === 0 ? value : -value;
}

export function cos(x: number): number {
  return sin(x + Math.PI / 2);
}

/** Natural logarithm of a positive number: m·2^e with m in [0.75, 1.5), then 2·artanh((m − 1)/(m + 1)). */
export function log(x: number): number {
  let m = x;
  let e = 0;
  for (; m < 0.75; e--) m *= 2;
  for (; m >= 1.5; e++) m /= 2;
  const z = (m - 1) / (m + 1);
  let sum = 0;
  for (let k = 23; k > 0; k -= 2) sum = sum * z * z + 1 / k;
  return 2 * z * sum + e * Math.LN2;
}

/** 2^x: the series on the fraction, then as many doublings or halvings. */
export function exp2(x: number): number {
  const whole = Math.round(x);
  let value = nested((x - whole) * Math.LN2, EXPONENTIAL);
  for (let i = 0; i < Math.abs(whole); i++) value *= whole > 0 ? 2 : 0.5;
  return value;
}
