// What loading a backend finds wrong with it, whatever element types a process then uses.
import type { Kernels } from "../../src/kernels/kernels.js";
import { selfCheck, type MakeHashes } from "../../src/backends/self-check/self-check.js";
import { DTYPES, type DType } from "../../src/base/types.js";
import type { AddonKernels } from "./addon-kernels.js";

export function faultOf(
  kernels: Kernels,
  dtypes: readonly DType[] = DTYPES,
  makeHashes?: MakeHashes,
): string | null {
  for (const dtype of dtypes) {
    const fault = selfCheck(kernels, dtype, false, makeHashes) ?? selfCheck(kernels, dtype, true, makeHashes);
    if (fault !== null) return fault;
  }
  return null;
}

/** The hashes of an instruction set as the addon exports it. */
export function hashesOf(set: AddonKernels): MakeHashes {
  return (dtype, isWeighted) => set.hashes(DTYPES.indexOf(dtype), isWeighted);
}
