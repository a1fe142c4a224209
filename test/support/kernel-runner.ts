// Runs the kernels of a backend on a case and compares all they write with the oracle, bit for bit.
import { FIELDS, Slot, type Control, type Field } from "../../src/kernels/control.js";
import type { Kernels } from "../../src/kernels/kernels.js";
import { allocate, floatTypeOf, type Data, type Floats } from "../../src/base/types.js";
import { describeCase, sizeOf, type Case } from "../../src/verify/cases.js";
import { Guarded, firstDifference, guardedControl } from "./guarded.js";
import { setUp, snapshot, type ArrayName, type Arrays, type Reference } from "../../src/verify/case-reference.js";

/** Header slots up to `part`: what a kernel is told and leaves alone. */
const ARGUMENTS = 8;
const affine = ["center", "scale", "shift"] as const;
const gradient = ["sumG", "sumGX", "gradShift", "gradSlope", "gradScale"] as const;

interface Step {
  /** Whose results the kernel must give. */
  readonly from: "batch" | "own" | "weighted";
  /** Σw is its result, not its argument. */
  readonly counts?: true;
  /** The fields it may read (all others hold poison), those it writes, and its arrays likewise. */
  readonly reads: readonly Field[];
  readonly writes: readonly Field[];
  readonly inputs: readonly ArrayName[];
  readonly outputs: readonly ArrayName[];
  call(kernels: Kernels, control: Control, arrays: Arrays): void;
}

const STEPS: Readonly<Record<keyof Kernels, Step>> = {
  moments: {
    from: "batch",
    reads: [],
    writes: ["mean", "m2"],
    inputs: ["x"],
    outputs: [],
    call: (kernels, control, { x }) => kernels.moments(control, x),
  },
  normalize: {
    from: "own",
    reads: affine,
    writes: [],
    inputs: ["x", "residual"],
    outputs: ["y"],
    call: (kernels, control, { x, y, residual }) => kernels.normalize(control, x, y, residual),
  },
  gradSums: {
    from: "own",
    reads: affine,
    writes: ["sumG", "sumGX"],
    inputs: ["kept", "dy", "aux"],
    outputs: [],
    call: (kernels, control, { kept, dy, aux }) => kernels.gradSums(control, kept, dy, aux),
  },
  gradInput: {
    from: "own",
    reads: [...affine, ...gradient],
    writes: [],
    inputs: ["kept", "dy", "aux"],
    outputs: ["dx", "dresidual"],
    call: (kernels, control, { kept, dy, dx, aux, dresidual }) =>
      kernels.gradInput(control, kept, dy, dx, aux, dresidual),
  },
  forward: {
    from: "batch",
    reads: ["weight", "bias"],
    writes: ["mean", "m2", "invStd", ...affine],
    inputs: ["x", "residual"],
    outputs: ["y"],
    call: (kernels, control, { x, y, residual }) => kernels.forward(control, x, y, residual),
  },
  backward: {
    from: "own",
    reads: ["weight", "mean", "invStd", ...affine],
    writes: gradient,
    inputs: ["kept", "dy", "aux"],
    outputs: ["dx", "dresidual"],
    call: (kernels, control, { kept, dy, dx, aux, dresidual }) =>
      kernels.backward(control, kept, dy, dx, aux, dresidual),
  },
  weightedMoments: {
    from: "weighted",
    counts: true,
    reads: [],
    writes: ["mean", "m2"],
    inputs: ["x", "w"],
    outputs: [],
    call: (kernels, control, { x, w }) => kernels.weightedMoments(control, x, w),
  },
  weightedGradInput: {
    from: "weighted",
    reads: [...affine, ...gradient],
    writes: [],
    inputs: ["kept", "dy", "aux", "w"],
    outputs: ["dx", "dresidual"],
    call: (kernels, control, { kept, dy, dx, aux, dresidual, w }) =>
      kernels.weightedGradInput(control, kept, dy, dx, aux, dresidual, w),
  },
  weightedForward: {
    from: "weighted",
    counts: true,
    reads: ["weight", "bias"],
    writes: ["mean", "m2", "invStd", ...affine],
    inputs: ["x", "residual", "w"],
    outputs: ["y"],
    call: (kernels, control, { x, y, residual, w }) => kernels.weightedForward(control, x, y, residual, w),
  },
  weightedBackward: {
    from: "weighted",
    reads: ["weight", "mean", "invStd", ...affine],
    writes: gradient,
    inputs: ["kept", "dy", "aux", "w"],
    outputs: ["dx", "dresidual"],
    call: (kernels, control, { kept, dy, dx, aux, dresidual, w }) =>
      kernels.weightedBackward(control, kept, dy, dx, aux, dresidual, w),
  },
  zeroMasked: {
    from: "weighted",
    reads: [],
    writes: [],
    inputs: ["x", "w"],
    outputs: ["zeroed"],
    call: (kernels, control, { x, zeroed, w }) => kernels.zeroMasked(control, x, zeroed, w),
  },
};
export const KERNELS = Object.keys(STEPS) as readonly (keyof Kernels)[];

type Operands = Partial<Record<ArrayName, Guarded>>;

const NAMES = ["x", "y", "dy", "dx", "residual", "aux", "dresidual", "w", "zeroed", "kept"];

/** The input that an output overwrites. */
function overwrittenBy(name: ArrayName, { forwardInPlace, backwardInPlace }: Case): ArrayName | "no" {
  if (name === "y") return forwardInPlace;
  if (name === "dx") return backwardInPlace;
  return name === "zeroed" && forwardInPlace === "x" ? "x" : "no";
}

/** Guarded copies of the inputs and poisoned outputs; an output in place is the copy of its input. */
function operands(step: Step, test: Case, expected: Arrays): Operands {
  const result: Operands = {};
  const offsetOf = (name: ArrayName): number => (test.offset * (1 + NAMES.indexOf(name))) % 16;
  for (const name of step.inputs) {
    const source = expected[name];
    const dtype = name === "w" ? floatTypeOf(test.dtype) : test.dtype;
    if (source) result[name] = Guarded.copyOf(dtype, source, offsetOf(name));
  }
  for (const name of step.outputs) {
    const overwritten = overwrittenBy(name, test);
    if (overwritten !== "no") result[name] = result[overwritten]!;
    else if (expected[name])
      result[name] = new Guarded((length) => allocate(test.dtype, length), sizeOf(test.extent), offsetOf(name));
  }
  return result;
}

export interface Outcome {
  /** "kernel: array[element] expected …, got … — case …" */
  readonly faults: readonly string[];
  /** Elements of outputs compared. */
  readonly elements: number;
}

type Checks = [name: string, expected: Data, got: Data][];

/** Inputs, but for the one an output has overwritten, then outputs. */
function arrayChecks(step: Step, expected: Arrays, arrays: Operands): Checks {
  const written = step.outputs.map((name) => arrays[name]);
  const inputs = step.inputs.filter((name) => !written.includes(arrays[name]));
  const named = [
    ...inputs.map((name) => [name, `input ${name}`] as const),
    ...step.outputs.map((name) => [name, name] as const),
  ];
  return named.flatMap(([name, title]) => (arrays[name] ? [[title, expected[name]!, arrays[name].view]] : []));
}

/** Calls a kernel; the first fault in all it leaves behind: arguments, fields, inputs, outputs, guards. */
function faultOf(step: Step, { test, ...results }: Reference, kernels: Kernels): string | null {
  const expected = results[step.from];
  const { control, guarded } = guardedControl(test.dtype, test.extent);
  setUp(control, step.from === "weighted" ? { ...test, frozen: false } : test);
  if (step.from === "weighted" && !step.counts) control.set("count", results.weighted.count);
  for (const name of step.reads) control.fields[name].set(expected.fields[name]);
  const fields = snapshot(control);
  for (const name of step.writes) fields[name].set(expected.fields[name]);
  const header = control.block.slice(0, ARGUMENTS);
  if (step.counts) header[Slot.count] = results.weighted.count;
  const arrays = operands(step, test, expected.arrays);
  const { x, kept, dy, y, dx, residual, aux, dresidual, w, zeroed } = Object.fromEntries(
    Object.entries(arrays).map(([name, array]) => [name, array.view]),
  ) as Partial<Record<ArrayName, Data>>;
  step.call(kernels, control, {
    x: x!,
    kept: kept!,
    dy: dy!,
    y: y!,
    dx: dx!,
    residual: residual ?? null,
    aux: aux ?? null,
    dresidual: dresidual ?? null,
    w: w as Floats,
    zeroed: zeroed!,
  });

  const checks: Checks = [
    ["header", header, control.block.subarray(0, ARGUMENTS)],
    ...FIELDS.map((name): Checks[number] => [name, fields[name], control.fields[name]]),
    ...arrayChecks(step, expected.arrays, arrays),
  ];
  for (const [name, want, got] of checks) {
    const at = firstDifference(want, got, test.dtype);
    if (at >= 0) return `${name}[${at}] expected ${want[at]}, got ${got[at]}`;
  }
  const spilt = [...Object.entries(arrays), ["control", guarded] as const].find(([, array]) => !array.intact());
  return spilt ? `wrote beyond ${spilt[0]}` : null;
}

function elementsOf(step: Step, { test, own }: Reference): number {
  return step.outputs.filter((name) => own.arrays[name]).length * sizeOf(test.extent);
}

/** Runs the named kernels of a backend on one case. */
export function runCase(kernels: Kernels, reference: Reference, names: readonly (keyof Kernels)[] = KERNELS): Outcome {
  const faults: string[] = [];
  let compared = 0;
  for (const name of names) {
    const fault = faultOf(STEPS[name], reference, kernels);
    compared += elementsOf(STEPS[name], reference);
    if (fault) faults.push(`${name}: ${fault} — ${describeCase(reference.test)}`);
  }
  return { faults, elements: compared };
}
