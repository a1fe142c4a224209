// The check every backend passes before it is used: its results on CASES must be the oracle's, bit for
// bit. The oracle's hashes stand here, because running it cold takes tens of milliseconds and a healthy
// backend one or two; it is run to say which element is wrong.
import type { Kernels } from "./kernels.js";
import { oracle } from "./oracle.js";
import { CASES, hashOf, runCase, type Case } from "./self-check-cases.js";

/** hashOf the oracle's results, case by case: test/self-check.test.ts compares, and prints them anew. */
export const HASHES: readonly number[] = [
  0xcb833172, 0xe633152f, 0xdf882ce0, 0xdf882ce0, 0x43dd0e2a, 0xccc3796a, 0x51a94ec7, 0x51a94ec7, 0x15600d58,
  0xac7a38f1, 0x812514c9, 0x812514c9, 0xc38f84f4, 0xc90d4063, 0xcc8a7d12, 0xcc8a7d12, 0xcdd5bad1, 0xc0607054,
  0xadd82965, 0xadd82965, 0x620729ae, 0x9a53a7c1, 0x863e292d, 0x863e292d, 0x7e80cde0, 0xf5e33895, 0x53ee5019,
  0x53ee5019, 0x48784c1b, 0x8d3d76bc, 0x99dda8c0, 0x99dda8c0,
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
