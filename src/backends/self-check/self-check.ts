// The check every backend passes before it is used: its results on `cases` must be the oracle's, bit for
// bit. The oracle's hashes are in hashes.ts, because running it cold takes tens of milliseconds and a healthy
// backend a few; it is run to say which element is wrong.
import type { Kernels } from "../../kernels/kernels.js";
import { oracle } from "../oracle/oracle.js";
import { caseOf, type Case } from "./cases.js";
import { HASHES } from "./hashes.js";
import { hashOf, resultsOf } from "./run.js";
import { TABLE } from "./table.js";
import type { DType } from "../../base/types.js";

/** The first element that differs; NaN equals NaN whatever its payload. */
function difference(kernels: Kernels, test: Case): string | null {
  const got = resultsOf(kernels, test);
  for (const [i, [name, values]] of resultsOf(oracle, test).entries()) {
    const other = got[i]![1];
    const { outer, channels, inner } = test.extent;
    const at = values.findIndex((value, j) => !Object.is(value, other[j]));
    if (at < 0) continue;
    const where = `${test.dtype}, ${outer}×${channels}×${inner}${test.w ? " with weights" : ""}`;
    return `${name}[${at}] expected ${values[at]}, got ${other[at]} (${where})`;
  }
  return null;
}

/** The hashes of all cases, made by one call inside a backend. */
export type MakeHashes = (dtype: DType, isWeighted: boolean) => readonly number[];

/**
 * The first difference from the oracle as `kernel: name[element] expected …, got … (case)`, or null. One element type
 * at a time, without weights or with them, because most processes use one and none. Without `makeHashes` the kernels
 * are called one by one, on the cases that are not for native kernels alone.
 */
export function selfCheck(
  kernels: Kernels,
  dtype: DType,
  isWeighted: boolean,
  makeHashes?: MakeHashes,
): string | null {
  const expected = HASHES[dtype][isWeighted ? "weighted" : "plain"];
  const made = makeHashes?.(dtype, isWeighted);
  for (const [i, row] of TABLE.entries()) {
    if (made ? made[i] === expected[i] : row.isNativeOnly) continue;
    const test = caseOf(row, dtype, isWeighted);
    if (!made && hashOf(kernels, test) === expected[i]) continue;
    // Only what comes and goes leaves no difference here: threads, or memory beside an array.
    return difference(kernels, caseOf(row, dtype, isWeighted)) ?? `case ${i} of its own check has another hash`;
  }
  return null;
}
