// A case's inputs, and the calls of kernels that it is made of, with what a backend, by default the oracle, makes of them.
import { gradCoefficients } from "../kernels/coefficients.js";
import { Control } from "../kernels/control.js";
import { FIELDS, Flag, type Field } from "../kernels/layout.js";
import type { Kernels, OperandsOf } from "../kernels/kernels.js";
import type { KernelName } from "../kernels/operands.js";
import { oracle } from "../backends/oracle/oracle.js";
import { narrow } from "../base/storage.js";
import { allocate, floatTypeOf, isStoredIn16Bits, type Data, type Floats } from "../base/types.js";
import type { Operands } from "./call.js";
import { sizeOf, type Case } from "./cases.js";
import { biases, gradients, random, residuals, values, weights } from "./data.js";
import { positionWeights } from "./position-weights.js";

export type Fields = Readonly<Record<Field, Float64Array>>;

/** What a case gives to every backend alike. */
export interface Inputs {
  readonly x: Data;
  readonly dy: Data;
  readonly w: Floats;
  readonly residual: Data | null;
  readonly weight: Float64Array | null;
  readonly bias: Float64Array | null;
  readonly fixed: Readonly<Record<"mean" | "invStd", Float64Array>> | null;
}

/** A call of a kernel, and what it must leave behind. */
export interface Call {
  readonly kernel: KernelName;
  /** Whether the results are those of the kernels that this one is made of: it must equal their composition. */
  readonly isFused: boolean;
  readonly operands: Operands;
  /** The control block's, of which the kernel reads some and writes some. */
  readonly fields: Fields;
  /** The header's `count` before the call and after it. */
  readonly counts: readonly [before: number, after: number];
}

/** A case, its inputs and its calls. */
export interface Reference {
  readonly test: Case;
  readonly inputs: Inputs;
  readonly calls: readonly Call[];
}

/** "backward with weights" and the like. */
export function nameOf({ kernel, operands }: Call): string {
  return operands.w ? `${kernel} with weights` : kernel;
}

/** Statistics of other data, as running statistics are: near the channel's values, not representable in float32. */
function fixedOf({ extent }: Case, x: Data, next: () => number): NonNullable<Inputs["fixed"]> {
  const mean = new Float64Array(extent.channels);
  const invStd = new Float64Array(extent.channels);
  for (let c = 0; c < extent.channels; c++) {
    const value = x[c * extent.inner]!;
    mean[c] = (Number.isFinite(value) ? value : 0) + next();
    invStd[c] = 1 / (0.5 + next());
  }
  return { mean, invStd };
}

export function inputsOf(test: Case): Inputs {
  const { dtype, kind, extent } = test;
  const next = random(test.index + 1);
  const type = floatTypeOf(dtype);
  const stored = (data: Data): Data => (isStoredIn16Bits(dtype) ? narrow(dtype, data as Float32Array) : data);
  const x = values(type, kind, extent, next);
  return {
    x: stored(x),
    dy: stored(gradients(type, kind, extent, next)),
    residual: test.residual ? stored(residuals(type, kind, extent, next)) : null,
    weight: test.weight ? weights(kind, extent.channels, next) : null,
    bias: test.bias ? biases(kind, extent.channels, next) : null,
    fixed: test.fixed ? fixedOf(test, x, next) : null,
    w: positionWeights(type, test.w, extent, next),
  };
}

/** Tells a control block of a case's options. */
export function setUp(control: Control, test: Case): void {
  control.set("eps", test.eps);
  control.set("slope", test.slope);
  control.set("kind", test.activationKind);
  control.set("low", CLAMP.low);
  control.set("high", CLAMP.high);
  control.set(
    "flags",
    (test.activation ? Flag.activation : 0) |
      (test.slope > 0 ? Flag.leaky : 0) |
      (test.holdsY ? Flag.holdsY : 0) |
      (test.fromOutput ? Flag.fromOutput : 0) |
      (test.fixed ? Flag.fixed : 0),
  );
}

/** What a case clamps to, if it does. */
export const CLAMP = { low: -0.5, high: 1.5 } as const;

/** The slopes of a case with PReLU: of both signs, and 0. */
export const slopesOf = ({ extent }: Case): Float64Array =>
  Float64Array.from({ length: extent.channels }, (_, c) => ((c % 5) - 1) / 3);

function controlOf(test: Case, { weight, bias }: Inputs): Control {
  const control = new Control(test.dtype, test.extent);
  setUp(control, test);
  control.fields.slope.set(slopesOf(test));
  if (weight) control.fields.weight.set(weight);
  if (bias) control.fields.bias.set(bias);
  return control;
}

export function snapshot(control: Control): Fields {
  return Object.fromEntries(FIELDS.map((name) => [name, control.fields[name].slice()])) as Fields;
}

/**
 * normalize with an r that no variance has. γ·r takes the place of γ, with a variance of 1: (γ·r)·1 has the same bits.
 * Leaves γ and r in the control block, and returns what the call read and wrote.
 */
function normalizeFixed(
  { normalize }: Kernels,
  control: Control,
  { mean, invStd }: NonNullable<Inputs["fixed"]>,
  operands: OperandsOf<"normalize">,
): Pick<Call, "fields" | "counts"> {
  const { fields } = control;
  const weight = fields.weight.slice();
  const count = control.get("count");
  fields.mean.set(mean);
  fields.weight.set(weight.map((value, c) => value * invStd[c]!));
  fields.m2.fill(1 - control.get("eps"));
  control.set("count", 1);
  normalize(control, ...operands);
  const own = snapshot(control);
  fields.weight.set(weight);
  fields.invStd.set(invStd);
  control.set("count", count);
  return { fields: own, counts: [1, 1] };
}

/** A forward with the batch's statistics, then a backward with the case's own, fixed or not. */
function callsOf(test: Case, kernels: Kernels, inputs: Inputs, w: Floats | null): Call[] {
  const { x, dy, residual, fixed } = inputs;
  const fresh = (): Data => allocate(test.dtype, sizeOf(test.extent));
  const control = controlOf(test, inputs);
  const count = control.get("count");

  kernels.moments(control, x, w);
  let y = fresh();
  kernels.normalize(control, x, y, residual);
  const W = control.get("count");
  const ofBatch = { fields: snapshot(control), counts: [count, W] } as const;
  const calls: Call[] = [
    { kernel: "moments", isFused: false, operands: { x, w }, ...ofBatch },
    { kernel: "forward", isFused: true, operands: { x, y, residual, w }, ...ofBatch },
  ];

  let normalized: Pick<Call, "fields" | "counts"> = { ...ofBatch, counts: [W, W] };
  if (fixed) {
    y = fresh();
    normalized = normalizeFixed(kernels, control, fixed, [x, y, residual]);
  }
  const residualOrY = !test.activation ? null : test.holdsY ? y : residual;
  const kept = test.fromOutput ? y : x;
  const backward = { x: kept, dy, dx: fresh(), residualOrY, dresidual: test.dresidual ? fresh() : null, w };
  kernels.gradSums(control, kept, dy, residualOrY);
  gradCoefficients(control);
  kernels.gradInput(control, kept, dy, backward.dx, residualOrY, backward.dresidual, w);
  const own = { fields: snapshot(control), counts: [W, W] } as const;
  // Without weights alone: these two do not take them.
  if (!w) calls.push({ kernel: "normalize", isFused: false, operands: { x, y, residual }, ...normalized });
  if (!w) calls.push({ kernel: "gradSums", isFused: false, operands: { x: kept, dy, residualOrY }, ...own });
  calls.push({ kernel: "gradInput", isFused: false, operands: backward, ...own });
  calls.push({ kernel: "backward", isFused: true, operands: backward, ...own });
  return calls;
}

/** Runs the unfused kernels of a backend on a case, without weights and with them. */
export function referenceOf(test: Case, kernels: Kernels = oracle, inputs: Inputs = inputsOf(test)): Reference {
  const { x, w } = inputs;
  const y = allocate(test.dtype, sizeOf(test.extent));
  const control = controlOf(test, inputs);
  kernels.zeroMasked(control, x, y, w);
  const count = control.get("count");
  const zeroMasked: Call = {
    kernel: "zeroMasked",
    isFused: false,
    operands: { x, y, w },
    fields: snapshot(control),
    counts: [count, count],
  };
  return {
    test,
    inputs,
    calls: [...callsOf(test, kernels, inputs, null), ...callsOf(test, kernels, inputs, w), zeroMasked],
  };
}
