// The fused kernels, which layers call: their bits must be those of the unfused ones that the digest is made of.
import { Control } from "../kernels/control.js";
import type { Kernels } from "../kernels/kernels.js";
import { KERNELS, type OperandName } from "../kernels/operands.js";
import { widen } from "../base/storage.js";
import { allocate, type Data, type DType } from "../base/types.js";
import { callKernel, fieldsOf, outputsOf } from "./call.js";
import { nameOf, setUp, type Call, type Reference } from "./case-reference.js";
import { describeCase, sizeOf, type Case } from "./cases.js";

/** First index at which two arrays differ, -1 where none: NaN equals NaN whatever its payload, ±0 differ. */
export function firstDifference(expected: Data, got: Data, dtype: DType): number {
  if (!(expected instanceof Uint16Array)) return expected.findIndex((value, i) => !Object.is(value, got[i]));
  const at = expected.findIndex((value, i) => value !== got[i]);
  if (at < 0) return at;
  const wide = widen(dtype, got as Uint16Array);
  return widen(dtype, expected).findIndex((value, i) => !Object.is(value, wide[i]));
}

/** "array[element] expected …, got …", or null where an array is what it must be. */
function differenceOf(name: string, expected: Data, got: Data, dtype: DType): string | null {
  const at = firstDifference(expected, got, dtype);
  return at < 0 ? null : `${name}[${at}] expected ${expected[at]}, got ${got[at]}`;
}

function faultOf({ kernel, operands, fields, counts }: Call, test: Case, kernels: Kernels): string | null {
  const { dtype, extent } = test;
  const control = new Control(dtype, extent);
  setUp(control, test);
  control.set("count", counts[0]);
  for (const name of fieldsOf(KERNELS[kernel].reads)) control.fields[name].set(fields[name]);
  const got: Partial<Record<OperandName, Data | null>> = { ...operands };
  const outputs = outputsOf(kernel).filter((name) => operands[name]);
  for (const name of outputs) got[name] = allocate(dtype, sizeOf(extent));
  callKernel(kernels, kernel, control, got);
  const count = differenceOf("count", Float64Array.of(counts[1]), Float64Array.of(control.get("count")), "float64");
  return [
    count,
    ...fieldsOf(KERNELS[kernel].writes).map((name) =>
      differenceOf(name, fields[name], control.fields[name], "float64"),
    ),
    ...outputs.map((name) => differenceOf(name, operands[name]!, got[name]!, dtype)),
  ].reduce((first, next) => first ?? next);
}

/**
 * Runs the fused kernels on one case: how many calls there were, and "kernel: array[element] expected …, got … — case …"
 * for each that differs.
 */
export function checkFused(kernels: Kernels, { test, calls }: Reference): { count: number; faults: string[] } {
  const fused = calls.filter(({ isFused }) => isFused);
  const faults = fused.flatMap((call) => {
    const fault = faultOf(call, test, kernels);
    return fault === null ? [] : [`${nameOf(call)}: ${fault} — ${describeCase(test)}`];
  });
  return { count: fused.length, faults };
}
