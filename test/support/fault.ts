// What loading a backend finds wrong with it, whatever element types a process then uses.
import type { Kernels } from "../../src/kernels.js";
import { selfCheck } from "../../src/self-check.js";
import { DTYPES, type DType } from "../../src/types.js";

export function faultOf(kernels: Kernels, dtypes: readonly DType[] = DTYPES): string | null {
  for (const dtype of dtypes) {
    const fault = selfCheck(kernels, dtype, false) ?? selfCheck(kernels, dtype, true);
    if (fault !== null) return fault;
  }
  return null;
}
