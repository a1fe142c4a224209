// The check every backend passes before it is used: its results on `cases` must be the oracle's, bit for
// bit. The oracle's hashes are in hashes.ts, because running it cold takes tens of milliseconds and a healthy
// backend a few; it is run to say which element is wrong.
import type { Kernels } from "../../kernels/kernels.js";
import { oracle } from "../oracle/oracle.js";
import { caseOf, type Case } from "./cases.js";
import { HASHES } from "./hashes.js";
import { hashOf, resultsOf } from "./run.js";
import { isInParts, TABLE, type CaseRow } from "./table.js";
import type { DType } from "../../base/types.js";

const ORDINARY_ROWS = TABLE.filter(({ isNativeOnly }) => !isNativeOnly);

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

/** What the check of a backend needs beside its kernels. */
export interface Means {
  /** Makes the hashes of all cases in one call inside the backend. If absent, the kernels are called one by one. */
  readonly makeHashes?: (dtype: DType, isWeighted: boolean) => readonly number[];
  /** The same kernels where a tensor does not fit the backend's memory: they are checked on the larger cases too. */
  readonly inParts?: () => Kernels;
}

/** Of what is called here: the cases that are not for native kernels alone. */
function faultOf(kernels: Kernels, rows: readonly CaseRow[], dtype: DType, isWeighted: boolean): string | null {
  const expected = HASHES[dtype][isWeighted ? "weighted" : "plain"];
  for (const row of rows) {
    const test = caseOf(row, dtype, isWeighted);
    if (hashOf(kernels, test) !== expected[test.number]) return difference(kernels, caseOf(row, dtype, isWeighted));
  }
  return null;
}

/** Of what was made inside the backend. */
function faultAmong(hashes: readonly number[], kernels: Kernels, dtype: DType, isWeighted: boolean): string | null {
  const at = HASHES[dtype][isWeighted ? "weighted" : "plain"].findIndex((hash, i) => hash !== hashes[i]);
  if (at < 0) return null;
  // There is none if a kernel wrote beside its arrays, or if the binary is another version's.
  return difference(kernels, caseOf(TABLE[at]!, dtype, isWeighted)) ?? `case ${at} of its own check has another hash`;
}

/**
 * The first difference from the oracle as `kernel: name[element] expected …, got … (case)`, or null. One element type
 * at a time, without weights or with them, because most processes use one and none.
 */
export function selfCheck(
  kernels: Kernels,
  dtype: DType,
  isWeighted: boolean,
  { makeHashes, inParts }: Means = {},
): string | null {
  if (makeHashes) return faultAmong(makeHashes(dtype, isWeighted), kernels, dtype, isWeighted);
  const fault = faultOf(kernels, ORDINARY_ROWS, dtype, isWeighted);
  return fault ?? (inParts ? faultOf(inParts(), TABLE.filter(isInParts), dtype, isWeighted) : null);
}
