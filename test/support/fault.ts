// What loading a backend finds wrong with it, whatever element types a process then uses.
import type { Kernels } from "../../src/kernels.js";
import { selfCheck } from "../../src/self-check.js";
import { DTYPES } from "../../src/types.js";

export function faultOf(kernels: Kernels): string | null {
  for (const dtype of DTYPES) {
    const fault = selfCheck(kernels, dtype);
    if (fault !== null) return fault;
  }
  return null;
}
