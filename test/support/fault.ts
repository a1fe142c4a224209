// What loading a backend finds wrong with it, whatever element types a process then uses.
import type { Kernels } from "../../src/kernels/kernels.js";
import { selfCheck } from "../../src/backends/self-check/self-check.js";
import { DTYPES, type DType } from "../../src/base/types.js";

export function faultOf(kernels: Kernels, dtypes: readonly DType[] = DTYPES): string | null {
  for (const dtype of dtypes) {
    const fault = selfCheck(kernels, dtype, false) ?? selfCheck(kernels, dtype, true);
    if (fault !== null) return fault;
  }
  return null;
}
