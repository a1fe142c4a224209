// The check every backend passes before it is used: its results on CASES must be the oracle's, bit for
// bit. The oracle's hashes stand here, because running it cold takes tens of milliseconds and a healthy
// backend one or two; it is run to say which element is wrong.
import type { Kernels } from "./kernels.js";
import { oracle } from "./oracle.js";
import { CASES, hashOf, runCase, type Case } from "./self-check-cases.js";

/** hashOf the oracle's results, case by case: test/self-check.test.ts compares, and prints them anew. */
export const HASHES: readonly number[] = [
  0xaaa55afc, 0xb8ae642e, 0xec04af0d, 0xec04af0d, 0x215aaafb, 0x5127c150, 0x380eb803, 0x380eb803, 0xd96b9fd0,
  0xa20b6fb1, 0xa1ef76c6, 0xa1ef76c6, 0xffae2b8c, 0x6d637d7d, 0xd7f2add1, 0xd7f2add1, 0xd4824d1e, 0xd86a2e9e,
  0x436bebb9, 0x436bebb9, 0x43c6ed22, 0x2c4f94f2, 0xffbfb933, 0xffbfb933, 0x53ed58df, 0x99e8ed43, 0x12429df6,
  0x12429df6, 0x272c9a1b, 0xc15f0b02, 0x24c0aa70, 0x24c0aa70,
];

/** The first element that differs; NaN equals NaN whatever its payload. */
function difference(kernels: Kernels, test: Case): string | null {
  const got = runCase(kernels, test);
  for (const [i, [name, values]] of runCase(oracle, test).entries()) {
    const other = got[i]![1];
    const at = values.findIndex((value, j) => !Object.is(value, other[j]));
    if (at >= 0)
      return `${name}[${at}] expected ${values[at]}, got ${other[at]} (${test.dtype}, ${test.outer}×${test.channels}×${test.inner})`;
  }
  return null;
}

/** The first difference from the oracle as `kernel: name[element] expected …, got … (case)`, or null. */
export function selfCheck(kernels: Kernels): string | null {
  for (const [i, test] of CASES.entries()) {
    if (hashOf(runCase(kernels, test)) === HASHES[i]) continue;
    const found = difference(kernels, test);
    if (found) return found;
  }
  return null;
}
