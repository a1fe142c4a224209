// The check every backend passes before it is used: its results on CASES must be the oracle's, bit for
// bit. The oracle's hashes stand here, because running it cold takes tens of milliseconds and a healthy
// backend one or two; it is run to say which element is wrong.
import type { Kernels } from "./kernels.js";
import { oracle } from "./oracle.js";
import { CASES, hashOf, runCase, type Case } from "./self-check-cases.js";

/** hashOf the oracle's results, case by case: test/self-check.test.ts compares, and prints them anew. */
export const HASHES: readonly number[] = [
  0xea5fe5ba, 0x6531f57b, 0x485d64c4, 0x485d64c4, 0x4a28e8a7, 0xc890c82c, 0x85c6dfac, 0x85c6dfac, 0x83d35a53,
  0x950480c3, 0xd49b53ca, 0xd49b53ca, 0x723503f7, 0x589a7738, 0x878694d, 0x878694d, 0xd6402748, 0x3453ef95, 0x8368211f,
  0x8368211f, 0x9276666f, 0xafec941a, 0x424402fd, 0x424402fd, 0xe644358c, 0x22091cf4, 0xe6e4a738, 0xe6e4a738,
  0xa4e5fa4b, 0xf0ab19ea, 0x8c24512b, 0x8c24512b,
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
