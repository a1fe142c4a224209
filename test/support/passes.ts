// A forward and a backward pass of the oracle, and what they may have to take account of.
import type { Extent } from "../../src/kernels/control.js";
import { Flag } from "../../src/kernels/layout.js";
import { oracle } from "../../src/backends/oracle/oracle.js";
import { allocate, type Floats as Data, type FloatType as DType } from "../../src/base/types.js";
import { type Fields } from "../../src/verify/case-reference.js";
import { prepared } from "./textbook.js";

export interface Option {
  readonly fixed: boolean;
  readonly relu: boolean;
  readonly residual: boolean;
}
const both = [false, true];
export const OPTIONS: readonly Option[] = both.flatMap((fixed) =>
  both.flatMap((relu) => both.map((residual) => ({ fixed, relu, residual }))),
);
export const flagsOf = ({ fixed, relu }: Option): number => (relu ? Flag.activation : 0) | (fixed ? Flag.fixed : 0);
export const titleOf = (option: Option): string =>
  (["fixed", "relu", "residual"] as const).filter((name) => option[name]).join(", ") || "plain";

/** A forward and a backward pass with γ = 1, β = 0, and weights where there are some. */
export function pass(
  dtype: DType,
  extent: Extent,
  x: Data,
  dy: Data,
  eps = 1e-5,
  w: Data | null = null,
): Fields & { readonly y: Data; readonly dx: Data } {
  const control = prepared(dtype, extent, eps);
  const y = allocate(dtype, x.length);
  const dx = allocate(dtype, x.length);
  oracle.forward(control, x, y, null, w);
  oracle.backward(control, x, dy, dx, null, null, w);
  return { ...control.fields, y, dx };
}
