// The check every backend passes before it is used: its results on CASES must be the oracle's, bit for
// bit. The oracle's hashes stand here, because running it cold takes tens of milliseconds and a healthy
// backend one or two; it is run to say which element is wrong.
import type { Kernels } from "./kernels.js";
import { oracle } from "./oracle.js";
import { CASES, hashOf, runCase, type Case } from "./self-check-cases.js";

/** hashOf the oracle's results, case by case: test/self-check.test.ts compares, and prints them anew. */
export const HASHES: readonly number[] = [
  0xc03f1ee, 0xa054d6b, 0x56c9e534, 0x56c9e534, 0xae18fc7f, 0x3c66e2fb, 0x3a4b4650, 0x3a4b4650, 0xcbdf2447, 0xce3d485d,
  0x7dda8691, 0x7dda8691, 0x723503f7, 0x589a7738, 0x878694d, 0x878694d, 0x3a83fc64, 0x699bf48d, 0xe4d0c6d6, 0xe4d0c6d6,
  0x550c9ca4, 0x254ae7d8, 0x4667f4c9, 0x4667f4c9, 0x842a208f, 0xf478fedf, 0x230df7d9, 0x230df7d9, 0xa4e5fa4b,
  0xf0ab19ea, 0x8c24512b, 0x8c24512b,
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
