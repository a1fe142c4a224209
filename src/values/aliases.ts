// Which arrays of a call may share memory with which.
import { bufferOf, byteLengthOf, byteOffsetOf } from "../base/check.js";
import { rangeError } from "../base/errors.js";
import type { Data } from "../base/types.js";

function overlap(a: Data, b: Data): "none" | "exact" | "partial" {
  if (bufferOf(a) !== bufferOf(b)) return "none";
  const [lengthA, lengthB] = [byteLengthOf(a), byteLengthOf(b)];
  if (lengthA === 0 || lengthB === 0) return "none";
  const startA = byteOffsetOf(a);
  const startB = byteOffsetOf(b);
  if (startA === startB && lengthA === lengthB) return "exact";
  return startA < startB + lengthB && startB < startA + lengthA ? "partial" : "none";
}

/** Says whether two arrays have the same elements in memory. They may be one object or two. */
export function sameMemory(a: Data, b: Data): boolean {
  return overlap(a, b) === "exact";
}

/** Says whether two arrays have any element in memory in common. */
export function sharesMemory(a: Data, b: Data): boolean {
  return overlap(a, b) !== "none";
}

/** Checks that an output may be written beside another array. It may take its place exactly if `exact` is null. */
export function checkAlias(
  name: string,
  output: Data | null,
  other: string,
  array: Data | null,
  /** Why the output must not be the other array, after a colon, or "" if that needs no reason. */
  exact: string | null = "",
): void {
  const relation = output && array ? overlap(output, array) : "none";
  if (relation === "partial") throw rangeError("ERR_BATCHNORM_ALIAS", `"${name}" overlaps "${other}" partly`);
  if (relation === "exact" && exact !== null)
    throw rangeError("ERR_BATCHNORM_ALIAS", `"${name}" must not be "${other}"${exact}`);
}

/** Arrays by their names, none of which an output may share memory with. */
export type Tables = Readonly<Record<string, Data | null>>;

export function checkApart(name: string, output: Data | null, tables: Tables, prefix = ""): void {
  for (const other of Object.keys(tables)) checkAlias(name, output, prefix + other, tables[other]!);
}
