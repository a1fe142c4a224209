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
    0xaa4bd544, 0x7dd42957, 0x1b1135aa, 0x8bc672f8, 0x16048bc1, 0xd3831220, 0x1ddbf66f, 0x27bb9c62, 0x1c68d260,
    0x78d4d817, 0x3bad61cf, 0xf2bf2c4, 0x79eafa63, 0xe504c382, 0xce56c8c, 0xebcf222b,
  ],
  float16: [
    0xb651e3e8, 0xebc918e5, 0x9ff1ac86, 0xe7cc10d8, 0x70228a64, 0xbf5a06ae, 0x96f41909, 0x2b37f47d, 0xb6ac4433,
    0xba666181, 0x599bc726, 0x682d5e60, 0xd692fd29, 0xf0b6cbbe, 0xc68ade3a, 0x8692fb3,
  ],
  bfloat16: [
    0x4907df7b, 0xf7f8805b, 0x571cd85, 0x2960cd2a, 0xb3d0ca83, 0x9de7c7a, 0x2e9156e9, 0xe25e2bbc, 0x7657eae0,
    0xd1a1465f, 0xbdb1fd8, 0xc993c126, 0xfcaf9f36, 0x27421bbf, 0xf2c594d, 0x809d3bf1,
  ],
  float64: [
    0x7060e008, 0xbf7e9bc0, 0xd170e107, 0x74db7d3f, 0x42496c3d, 0xdf48581e, 0x21a9a9f9, 0x3d6f22c5, 0xc48da4a6,
    0xfe3240f9, 0x9284919d, 0xa59ae4dd, 0xd9862c12, 0x8367d0fa, 0x5ee74d24, 0x7ffcc0ae,
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
