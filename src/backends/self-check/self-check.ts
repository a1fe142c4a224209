// The check every backend passes before it is used: its results on `cases` must be the oracle's, bit for
// bit. The oracle's hashes are in hashes.ts, because running it cold takes tens of milliseconds and a healthy
// backend a few; it is run to say which element is wrong.
import type { Kernels } from "../../kernels/kernels.js";
import { oracle } from "../oracle/oracle.js";
import { caseOf, type Case } from "./cases.js";
import { HASHES } from "./hashes.js";
import { hashOf, resultsOf } from "./run.js";
import { ORDINARY_ROWS, TABLE, isInParts, type CaseRow, type Hashes } from "./table.js";
import { plainTools, type Tools } from "./tools.js";
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

/** Tools of a backend that has the cases where its kernels work. */
export interface OwnTools extends Tools {
  /** The kernels for what these tools make; null where they are called as always. */
  kernelsFor(dtype: DType): Kernels | null;
}

/** What the check of a backend needs beside its kernels. */
export interface Means {
  /** Makes the hashes of all cases in one call inside the backend. If absent, the kernels are called one by one. */
  readonly inside?: { makeHashes(dtype: DType, isWeighted: boolean): readonly number[]; readonly expected: Hashes };
  /** Makes the tools for one check. If absent, they are in JavaScript. */
  readonly makeTools?: () => OwnTools;
  /** The same kernels where a tensor does not fit the backend's memory: they are checked on the larger cases too. */
  readonly inParts?: () => Kernels;
}

interface Use {
  readonly dtype: DType;
  readonly isWeighted: boolean;
}

function hashesFor({ dtype, isWeighted }: Use, hashes: Hashes): readonly number[] {
  return hashes[dtype][isWeighted ? "weighted" : "plain"];
}

/**
 * What differs where the hash of a case does. There may be nothing: if a kernel wrote beside its arrays, if what makes and
 * hashes the case is wrong, or if the binary is another version's.
 */
function faultIn(at: number, kernels: Kernels, { dtype, isWeighted }: Use): string {
  return difference(kernels, caseOf(TABLE[at]!, dtype, isWeighted)) ?? `case ${at} of its own check has another hash`;
}

/** Of what is called here: the first row with another hash, or −1. */
function wrongRow(kernels: Kernels, rows: readonly CaseRow[], use: Use, tools: Tools): number {
  const expected = hashesFor(use, HASHES);
  for (const row of rows) {
    const test = caseOf(row, use.dtype, use.isWeighted, tools);
    if (hashOf(kernels, test) !== expected[ORDINARY_ROWS.indexOf(row)]) return test.number;
  }
  return -1;
}

/**
 * The first difference from the oracle as `kernel: name[element] expected …, got … (case)`, or null. One element type
 * at a time, without weights or with them, because most processes use one and none.
 */
export function selfCheck(
  kernels: Kernels,
  dtype: DType,
  isWeighted: boolean,
  { inside, makeTools, inParts }: Means = {},
): string | null {
  const use = { dtype, isWeighted };
  if (inside) {
    const hashes = inside.makeHashes(dtype, isWeighted);
    const at = hashesFor(use, inside.expected).findIndex((hash, i) => hash !== hashes[i]);
    return at < 0 ? null : faultIn(at, kernels, use);
  }
  const own = makeTools?.();
  const tools = own ?? plainTools();
  // The cases that are not for native kernels alone.
  const at = wrongRow(own?.kernelsFor(dtype) ?? kernels, ORDINARY_ROWS, use, tools);
  if (at >= 0) return faultIn(at, kernels, use);
  if (!inParts) return null;
  const parts = inParts();
  const part = wrongRow(parts, ORDINARY_ROWS.filter(isInParts), use, tools);
  return part < 0 ? null : faultIn(part, parts, use);
}
