// What loading a backend finds wrong with it, whatever element types a process then uses.
import type { Kernels } from "../../src/kernels/kernels.js";
import { NATIVE_HASHES } from "../../src/backends/self-check/native-hashes.js";
import { selfCheck, type Means } from "../../src/backends/self-check/self-check.js";
import { DTYPES, type DType } from "../../src/base/types.js";
import type { AddonKernels } from "./addon-kernels.js";

export function faultOf(kernels: Kernels, dtypes: readonly DType[] = DTYPES, means?: Means): string | null {
  for (const dtype of dtypes) {
    const fault = selfCheck(kernels, dtype, false, means) ?? selfCheck(kernels, dtype, true, means);
    if (fault !== null) return fault;
  }
  return null;
}

/** What the check of an instruction set uses, as the addon exports it. */
export function meansOf(set: AddonKernels): Means {
  const makeHashes = (dtype: DType, isWeighted: boolean): number[] => set.hashes(DTYPES.indexOf(dtype), isWeighted);
  return { inside: { makeHashes, expected: NATIVE_HASHES } };
}
