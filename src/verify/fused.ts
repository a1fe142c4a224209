// The fused kernels, which layers call: their bits must be those of the unfused ones that the digest is made of.
import { Control, type Field } from "../kernels/control.js";
import type { Kernels } from "../kernels/kernels.js";
import { widen } from "../base/storage.js";
import { allocate, type Data, type DType } from "../base/types.js";
import { setUp, type Arrays, type Reference } from "./case-reference.js";
import { describeCase, sizeOf } from "./cases.js";

const STATISTICS = ["mean", "invStd"] as const;
const AFFINE = ["center", "scale", "shift"] as const;
const GRADIENT = ["sumG", "sumGX", "gradShift", "gradSlope", "gradScale"] as const;

/** Whose results, of which fields and arrays. */
interface Step {
  readonly from: "batch" | "own" | "weighted";
  readonly reads: readonly Field[];
  readonly writes: readonly Field[];
  readonly outputs: readonly ("y" | "dx" | "dresidual")[];
  readonly call: (kernels: Kernels, control: Control, arrays: Arrays) => void;
}

const FORWARD = { reads: ["weight", "bias"], writes: ["mean", "m2", "invStd", ...AFFINE], outputs: ["y"] } as const;
const BACKWARD = {
  reads: ["weight", ...STATISTICS, ...AFFINE],
  writes: GRADIENT,
  outputs: ["dx", "dresidual"],
} as const;

const STEPS: Readonly<Record<string, Step>> = {
  forward: {
    ...FORWARD,
    from: "batch",
    call: (kernels, control, { x, y, residual }) => kernels.forward(control, x, y, residual),
  },
  backward: {
    ...BACKWARD,
    from: "own",
    call: (kernels, control, { kept, dy, dx, aux, dresidual }) =>
      kernels.backward(control, kept, dy, dx, aux, dresidual),
  },
  weightedForward: {
    ...FORWARD,
    from: "weighted",
    call: (kernels, control, { x, y, residual, w }) => kernels.weightedForward(control, x, y, residual, w),
  },
  weightedBackward: {
    ...BACKWARD,
    from: "weighted",
    call: (kernels, control, { kept, dy, dx, aux, dresidual, w }) =>
      kernels.weightedBackward(control, kept, dy, dx, aux, dresidual, w),
  },
};

/** The names of what is compared. */
export const FUSED: readonly string[] = Object.keys(STEPS);

/** First index at which two arrays differ, -1 where none: NaN equals NaN whatever its payload, ±0 differ. */
export function firstDifference(expected: Data, got: Data, dtype: DType): number {
  if (!(expected instanceof Uint16Array)) return expected.findIndex((value, i) => !Object.is(value, got[i]));
  const at = expected.findIndex((value, i) => value !== got[i]);
  if (at < 0) return at;
  const wide = widen(dtype, got as Uint16Array);
  return widen(dtype, expected).findIndex((value, i) => !Object.is(value, wide[i]));
}

function faultOf({ from, reads, writes, outputs, call }: Step, reference: Reference, kernels: Kernels): string | null {
  const { test, weighted } = reference;
  const expected = reference[from];
  const control = new Control(test.dtype, test.extent);
  setUp(control, from === "weighted" ? { ...test, frozen: false } : test);
  if (from === "weighted") control.set("count", weighted.count);
  for (const name of reads) control.fields[name].set(expected.fields[name]);
  const arrays = { ...expected.arrays };
  for (const name of outputs) if (arrays[name]) arrays[name] = allocate(test.dtype, sizeOf(test.extent));
  call(kernels, control, arrays);
  for (const name of writes) {
    const at = firstDifference(expected.fields[name], control.fields[name], "float64");
    if (at >= 0) return `${name}[${at}] expected ${expected.fields[name][at]}, got ${control.fields[name][at]}`;
  }
  for (const name of outputs) {
    const [want, got] = [expected.arrays[name], arrays[name]];
    const at = want && got ? firstDifference(want, got, test.dtype) : -1;
    if (at >= 0) return `${name}[${at}] expected ${want![at]}, got ${got![at]}`;
  }
  return null;
}

/** "kernel: array[element] expected …, got … — case …" for each fused kernel that differs on one case. */
export function fusedFaults(kernels: Kernels, reference: Reference): string[] {
  return Object.entries(STEPS).flatMap(([name, step]) => {
    const fault = faultOf(step, reference, kernels);
    return fault === null ? [] : [`${name}: ${fault} — ${describeCase(reference.test)}`];
  });
}
