// The check every backend passes before it is used: its results on `cases` must be the oracle's, bit for
// bit. The oracle's hashes stand here, because running it cold takes tens of milliseconds and a healthy
// backend a few; it is run to say which element is wrong.
import type { Kernels } from "./kernels.js";
import { oracle } from "./oracle.js";
import { cases, hashOf, resultsOf, type Case } from "./self-check-cases.js";
import type { DType } from "./types.js";

/** hashOf the oracle's results, case by case: test/self-check.test.ts compares, and prints them anew. */
export const HASHES: Readonly<Record<DType, readonly number[]>> = {
  float32: [
    0x1ef8711c, 0xe0a0b9ab, 0x36617946, 0x36617946, 0xaeef8656, 0x5cf3082a, 0xe1e88420, 0xe1e88420, 0x1c937400,
    0x90931650, 0xef103129, 0xef103129, 0x84c7ed49, 0x3c4ceeb8, 0x3b3ae1dc, 0x3b3ae1dc,
  ],
  float64: [
    0x1c60f8c6, 0xad864430, 0x95aa504d, 0x95aa504d, 0xde781a0d, 0x60bfc07, 0xac5e04ae, 0xac5e04ae, 0x503883aa,
    0x9d732954, 0x712779e2, 0x712779e2, 0xba4fc376, 0xc61d5854, 0x1dfd7c5a, 0x1dfd7c5a,
  ],
};

/** The first element that differs; NaN equals NaN whatever its payload. */
function difference(kernels: Kernels, test: Case): string | null {
  const got = resultsOf(kernels, test);
  for (const [i, [name, values]] of resultsOf(oracle, test).entries()) {
    const other = got[i]![1];
    const { outer, channels, inner } = test.extent;
    const at = values.findIndex((value, j) => !Object.is(value, other[j]));
    if (at >= 0)
      return `${name}[${at}] expected ${values[at]}, got ${other[at]} (${test.dtype}, ${outer}×${channels}×${inner})`;
  }
  return null;
}

/**
 * The first difference from the oracle as `kernel: name[element] expected …, got … (case)`, or null. One element type
 * at a time, because most processes use one.
 */
export function selfCheck(kernels: Kernels, dtype: DType): string | null {
  let i = 0;
  for (const test of cases(dtype)) {
    if (hashOf(kernels, test) === HASHES[dtype][i++]) continue;
    const found = difference(kernels, test);
    if (found) return found;
  }
  return null;
}
