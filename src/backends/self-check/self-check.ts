// The check every backend passes before it is used: its results on `cases` must be the oracle's, bit for
// bit. The oracle's hashes stand here, because running it cold takes tens of milliseconds and a healthy
// backend a few; it is run to say which element is wrong.
import type { Kernels } from "../../kernels/kernels.js";
import { oracle } from "../oracle/oracle.js";
import { cases, type Case } from "./cases.js";
import { hashOf, resultsOf } from "./run.js";
import type { DType } from "../../base/types.js";

/** hashOf the oracle's results, case by case: test/backends/self-check.test.ts compares, and prints them anew. */
export const HASHES: Readonly<Record<DType, readonly number[]>> = {
  float32: [
    0x1ef8711c, 0x74fb78b1, 0x36617946, 0x612e9f2f, 0xaeef8656, 0x5cf3082a, 0xe8110f02, 0xe1e88420, 0x1c937400,
    0x440820f6, 0xef103129, 0xc8a332e5, 0x84c7ed49, 0x3c4ceeb8, 0x17b68a9e, 0x3b3ae1dc,
  ],
  float16: [
    0x15d672fa, 0xf7c5eb5b, 0xc8f4af1b, 0x3c18d9f2, 0x9653e0f, 0xd366248b, 0x87db8324, 0xb785ee65, 0x949c4e02,
    0xb4b0fbb6, 0x48beff9e, 0xedb13d25, 0xafdecba9, 0x3a3b68c2, 0xe8efc0cf, 0xbbed1f63,
  ],
  bfloat16: [
    0xc3c2f064, 0x44fe580, 0x95cd5f50, 0x40fc582f, 0x847ff485, 0x5d125571, 0x7ad8aeb0, 0x78a6391d, 0x6e7c863f,
    0xed51ebcc, 0xb333c93, 0xcc12afd, 0x85d8ab96, 0x923a5dd0, 0xc6c6fed3, 0xd3567bf4,
  ],
  float64: [
    0x1c60f8c6, 0xffefb169, 0x95aa504d, 0x3d42a0f9, 0xde781a0d, 0x60bfc07, 0x325c534f, 0xac5e04ae, 0x503883aa,
    0x65f2db17, 0x712779e2, 0x2c0ac1f5, 0xba4fc376, 0xc61d5854, 0x7738188b, 0x1dfd7c5a,
  ],
};

/** And of the cases with weights. */
export const WEIGHTED_HASHES: Readonly<Record<DType, readonly number[]>> = {
  float32: [0x96b6a5f5, 0xf3cd3aed, 0x62f8ea9c, 0x51d24164, 0xbc380391, 0x2a75966b, 0x3ada1aa7, 0xc8824af],
  float16: [0xdffd7bd3, 0xdd355068, 0x64eb1ae, 0xb320a2e9, 0x9ed73ed8, 0x455a9595, 0xbd20a05, 0x2dd08ae0],
  bfloat16: [0x10a76b62, 0xc67be500, 0xcc53abc3, 0x590f1e11, 0x979d456e, 0xeef42a36, 0x93ad777f, 0xc36c119e],
  float64: [0x88e9476f, 0xe0632f6f, 0xd5fdf4f5, 0x7573ca5e, 0xe34a4221, 0xc0f0b916, 0x141d1f79, 0x30810717],
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
 * at a time, without weights or with them, because most processes use one and none.
 */
export function selfCheck(kernels: Kernels, dtype: DType, isWeighted: boolean): string | null {
  const hashes = (isWeighted ? WEIGHTED_HASHES : HASHES)[dtype];
  let i = 0;
  for (const test of cases(dtype, isWeighted)) {
    if (hashOf(kernels, test) === hashes[i++]) continue;
    const found = difference(kernels, test);
    if (found) return found;
  }
  return null;
}
