// The check every backend passes before it is used: its results on `cases` must be the oracle's, bit for
// bit. The oracle's hashes stand here, because running it cold takes tens of milliseconds and a healthy
// backend a few; it is run to say which element is wrong.
import type { Kernels } from "./kernels.js";
import { oracle } from "./oracle.js";
import { cases, hashOf, resultsOf, type Case } from "./self-check-cases.js";

/** hashOf the oracle's results, case by case: test/self-check.test.ts compares, and prints them anew. */
export const HASHES: readonly number[] = [
  0xaa4bd544, 0xe3dcd93f, 0x6f7517ae, 0x1e838dfa, 0x7060e008, 0xe4474fa4, 0xd1fb1666, 0x9c5558ec, 0x16048bc1,
  0xafb58957, 0x822c063c, 0x7d394ffd, 0x42496c3d, 0x876a5814, 0x7d9cb9d8, 0x4d896cc3, 0x1c68d260, 0x3f543e63,
  0x5d0439f7, 0x476b0531, 0xc48da4a6, 0xc9cf5326, 0x19b3d402, 0x5128f719, 0x79eafa63, 0x7ed87120, 0xaf838ad0,
  0xaa52b4d8, 0xd9862c12, 0xb8639043, 0xb6775595, 0x9375df,
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
