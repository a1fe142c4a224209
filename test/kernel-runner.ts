// Runs the six kernels of a backend on a case and compares all they write with the oracle, bit for bit.
import { affineCoefficients, batchInvStd, gradCoefficients } from "../src/coefficients.js";
import { Control, FIELDS, Flag } from "../src/control.js";
import type { Kernels } from "../src/kernels.js";
import { oracle } from "../src/oracle.js";
import { allocate, type Data } from "../src/types.js";
import { describeCase, sizeOf, type Case } from "./cases.js";
import { gradients, random, residuals, values, weights } from "./data.js";
import { Guarded, firstDifference, guardedControl, type FieldName } from "./guarded.js";

type Fields = Readonly<Record<FieldName, Float64Array>>;
type Arrays = Readonly<Record<"x" | "dy" | "y" | "dx", Data> & Record<"residual" | "aux" | "dresidual", Data | null>>;
type ArrayName = keyof Arrays;

/** A case's inputs and the oracle's results. */
export interface Reference {
  readonly test: Case;
  /** With batch statistics: `y` and the fields that moments and forward leave. */
  readonly batch: { readonly fields: Fields; readonly arrays: Arrays };
  /** With the statistics of the case, frozen or not: the fields and arrays of everything else. */
  readonly own: { readonly fields: Fields; readonly arrays: Arrays };
}

function setUp(control: Control, test: Case): void {
  control.set("eps", test.eps);
  control.set(
    "flags",
    (test.relu ? Flag.relu : 0) | (test.storedOutput ? Flag.auxIsOutput : 0) | (test.frozen ? Flag.frozen : 0),
  );
}

/** Statistics of other data, as running statistics are: near the channel's values, not representable in float32. */
function freeze(control: Control, x: Data, next: () => number): void {
  const { mean, invStd } = control.fields;
  for (let c = 0; c < mean.length; c++) {
    const value = x[c * control.extent.inner]!;
    mean[c] = (Number.isFinite(value) ? value : 0) + next();
    invStd[c] = 1 / (0.5 + next());
  }
}

function snapshot(control: Control): Fields {
  return Object.fromEntries(FIELDS.map((name) => [name, control.fields[name].slice()])) as Fields;
}

/** The oracle's results of a case, from the four unfused kernels: the fused ones must equal their composition. */
export function referenceOf(test: Case, kernels: Kernels = oracle): Reference {
  const { dtype, kind, extent } = test;
  const next = random(test.index + 1);
  const fresh = () => allocate(dtype, sizeOf(extent));
  const x = values(dtype, kind, extent, next);
  const dy = gradients(dtype, kind, extent, next);
  const residual = test.residual ? residuals(dtype, kind, extent, next) : null;
  const control = new Control(dtype, extent);
  setUp(control, test);
  if (test.weight || kind === "zeroWeight") control.fields.weight.set(weights(kind, extent.channels, next));
  if (test.bias)
    control.fields.bias.forEach((_, c) => {
      control.fields.bias[c] = next() - 0.5;
    });

  kernels.moments(control, x);
  batchInvStd(control);
  affineCoefficients(control);
  const batchY = fresh();
  kernels.normalize(control, x, batchY, residual);
  const batchFields = snapshot(control);

  const y = test.frozen ? fresh() : batchY;
  if (test.frozen) {
    freeze(control, x, next);
    affineCoefficients(control);
    kernels.normalize(control, x, y, residual);
  }
  const aux = !test.relu ? null : test.storedOutput ? y : residual;
  const dx = fresh();
  const dresidual = test.dresidual ? fresh() : null;
  kernels.gradSums(control, x, dy, aux);
  gradCoefficients(control);
  kernels.gradInput(control, x, dy, dx, aux, dresidual);
  const arrays = { x, dy, y, dx, residual, aux, dresidual };
  return {
    test,
    batch: { fields: batchFields, arrays: { ...arrays, y: batchY } },
    own: { fields: snapshot(control), arrays },
  };
}

const affine = ["center", "scale", "shift"] as const;
const gradient = ["sumG", "sumGX", "gradShift", "gradSlope", "gradScale"] as const;

interface Step {
  /** Whose results the kernel must give. */
  readonly from: "batch" | "own";
  /** The fields it may read (all others hold poison), those it writes, and its arrays likewise. */
  readonly reads: readonly FieldName[];
  readonly writes: readonly FieldName[];
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
    inputs: ["x", "dy", "aux"],
    outputs: [],
    call: (kernels, control, { x, dy, aux }) => kernels.gradSums(control, x, dy, aux),
  },
  gradInput: {
    from: "own",
    reads: [...affine, ...gradient],
    writes: [],
    inputs: ["x", "dy", "aux"],
    outputs: ["dx", "dresidual"],
    call: (kernels, control, { x, dy, dx, aux, dresidual }) => kernels.gradInput(control, x, dy, dx, aux, dresidual),
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
    inputs: ["x", "dy", "aux"],
    outputs: ["dx", "dresidual"],
    call: (kernels, control, { x, dy, dx, aux, dresidual }) => kernels.backward(control, x, dy, dx, aux, dresidual),
  },
};
export const KERNELS = Object.keys(STEPS) as readonly (keyof Kernels)[];

/** Guarded copies of the inputs and poisoned outputs; an output in place is the copy of its input. */
function operands(step: Step, { test }: Reference, expected: Arrays): Partial<Record<ArrayName, Guarded>> {
  const result: Partial<Record<ArrayName, Guarded>> = {};
  const offsetOf = (name: ArrayName) =>
    (test.offset * (1 + ["x", "y", "dy", "dx", "residual", "aux", "dresidual"].indexOf(name))) % 16;
  for (const name of step.inputs) {
    const source = expected[name];
    if (source) result[name] = Guarded.copyOf(test.dtype, source, offsetOf(name));
  }
  for (const name of step.outputs) {
    const overwritten = name === "y" ? test.forwardInPlace : name === "dx" ? test.backwardInPlace : "no";
    if (overwritten !== "no") result[name] = result[overwritten]!;
    else if (expected[name])
      result[name] = new Guarded((length) => allocate(test.dtype, length), sizeOf(test.extent), offsetOf(name));
  }
  return result;
}

export interface Outcome {
  /** "kernel: array[element] expected …, got … — case …" */
  readonly faults: readonly string[];
  /** Elements of y, dx and dresidual compared. */
  readonly elements: number;
}

/** The first fault in everything a step leaves behind: outputs, inputs, guards, fields, arguments. */
function faultOf(step: Step, reference: Reference, kernels: Kernels): { fault: string | null; elements: number } {
  const { test } = reference;
  const expected = reference[step.from];
  const { control, guarded } = guardedControl(test.dtype, test.extent);
  setUp(control, test);
  for (const name of step.reads) control.fields[name].set(expected.fields[name]);
  const fields = snapshot(control);
  for (const name of step.writes) fields[name].set(expected.fields[name]);
  const header = control.block.slice(0, 8);
  const arrays = operands(step, reference, expected.arrays);
  const view = (name: ArrayName) => arrays[name]?.view ?? null;
  step.call(kernels, control, {
    x: view("x")!,
    dy: view("dy")!,
    y: view("y")!,
    dx: view("dx")!,
    residual: view("residual"),
    aux: view("aux"),
    dresidual: view("dresidual"),
  });

  const checks: [name: string, expected: Data, got: Data][] = [["header", header, control.block.subarray(0, 8)]];
  for (const name of FIELDS) checks.push([name, fields[name], control.fields[name]]);
  const overwritten = step.outputs.map((name) => arrays[name]);
  for (const name of step.inputs) {
    if (arrays[name] && !overwritten.includes(arrays[name]))
      checks.push([`input ${name}`, expected.arrays[name]!, view(name)!]);
  }
  const outputs = step.outputs.filter((name) => arrays[name]);
  for (const name of outputs) checks.push([name, expected.arrays[name]!, view(name)!]);
  const elements = outputs.length * sizeOf(test.extent);
  for (const [name, want, got] of checks) {
    const at = firstDifference(want, got);
    if (at >= 0) return { fault: `${name}[${at}] expected ${want[at]}, got ${got[at]}`, elements };
  }
  const spilt = [...Object.entries(arrays), ["control", guarded] as const].find(([, array]) => !array.intact());
  return { fault: spilt ? `wrote beyond ${spilt[0]}` : null, elements };
}

/** Runs the named kernels of a backend on one case. */
export function runCase(kernels: Kernels, reference: Reference, names: readonly (keyof Kernels)[] = KERNELS): Outcome {
  const faults: string[] = [];
  let compared = 0;
  for (const name of names) {
    const { fault, elements } = faultOf(STEPS[name], reference, kernels);
    compared += elements;
    if (fault) faults.push(`${name}: ${fault} — ${describeCase(reference.test)}`);
  }
  return { faults, elements: compared };
}
