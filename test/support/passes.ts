// A forward and a backward pass of the oracle, and what they may have to take account of.
import { Flag, type Extent } from "../../src/kernels/control.js";
import { oracle } from "../../src/backends/oracle/oracle.js";
import { allocate, type Floats as Data, type FloatType as DType } from "../../src/base/types.js";
import { type Fields } from "../../src/verify/case-reference.js";
import { prepared } from "./textbook.js";

export interface Option {
  readonly frozen: boolean;
  readonly relu: boolean;
  readonly residual: boolean;
}
const both = [false, true];
export const OPTIONS: readonly Option[] = both.flatMap((frozen) =>
  both.flatMap((relu) => both.map((residual) => ({ frozen, relu, residual }))),
);
export const flagsOf = ({ frozen, relu }: Option): number => (relu ? Flag.relu : 0) | (frozen ? Flag.frozen : 0);
export const titleOf = (option: Option): string =>
  (["frozen", "relu", "residual"] as const).filter((name) => option[name]).join(", ") || "plain";

/** A forward and a backward pass with γ = 1, β = 0. */
export function pass(
  dtype: DType,
  extent: Extent,
  x: Data,
  dy: Data,
  eps = 1e-5,
): Fields & { readonly y: Data; readonly dx: Data } {
  const control = prepared(dtype, extent, eps);
  const y = allocate(dtype, x.length);
  const dx = allocate(dtype, x.length);
  oracle.forward(control, x, y, null);
  oracle.backward(control, x, dy, dx, null, null);
  return { ...control.fields, y, dx };
}
