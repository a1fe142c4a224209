// The check every backend passes before it is used: its results on `cases` must be the oracle's, bit for
// bit. The oracle's hashes stand here, because running it cold takes tens of milliseconds and a healthy
// backend a few; it is run to say which element is wrong.
import type { Kernels } from "./kernels.js";
import { oracle } from "./oracle.js";
import { cases, hashOf, resultsOf, type Case } from "./self-check-cases.js";

/** hashOf the oracle's results, case by case: test/self-check.test.ts compares, and prints them anew. */
export const HASHES: readonly number[] = [
  0x1ef8711c, 0xe3dcd93f, 0x1e838dfa, 0x1e838dfa, 0x1c60f8c6, 0xe4474fa4, 0x9c5558ec, 0x9c5558ec, 0xaeef8656,
  0xafb58957, 0x7d394ffd, 0x7d394ffd, 0xde781a0d, 0x876a5814, 0x4d896cc3, 0x4d896cc3, 0x1c937400, 0x3f543e63,
  0x476b0531, 0x476b0531, 0x503883aa, 0xc9cf5326, 0x5128f719, 0x5128f719, 0x84c7ed49, 0x7ed87120, 0xaa52b4d8,
  0xaa52b4d8, 0xba4fc376, 0xb8639043, 0x9375df, 0x9375df,
];

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

/** The first difference from the oracle as `kernel: name[element] expected …, got … (case)`, or null. */
export function selfCheck(kernels: Kernels): string | null {
  let i = 0;
  for (const test of cases()) {
    if (hashOf(kernels, test) === HASHES[i++]) continue;
    const found = difference(kernels, test);
    if (found) return found;
  }
  return null;
}
