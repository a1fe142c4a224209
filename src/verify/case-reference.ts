// A case's inputs, and what the oracle makes of them.
import { affineCoefficients, batchInvStd, gradCoefficients } from "../kernels/coefficients.js";
import { Control, FIELDS, Flag, type Field } from "../kernels/control.js";
import type { Kernels } from "../kernels/kernels.js";
import { oracle } from "../backends/oracle/oracle.js";
import { narrow } from "../base/storage.js";
import { allocate, floatTypeOf, isStoredIn16Bits, type Data, type Floats } from "../base/types.js";
import { sizeOf, type Case } from "./cases.js";
import { biases, gradients, positionWeights, random, residuals, values, weights } from "./data.js";

export type Fields = Readonly<Record<Field, Float64Array>>;
/** `kept` is what forward leaves to backward as its x: x, or y where x is made of that. */
export type Arrays = Readonly<
  Record<"x" | "kept" | "dy" | "y" | "dx" | "zeroed", Data> &
    Record<"w", Floats> &
    Record<"residual" | "aux" | "dresidual", Data | null>
>;
export type ArrayName = keyof Arrays;

/** What a case gives to every backend alike. */
export interface Inputs {
  readonly x: Data;
  readonly dy: Data;
  readonly w: Floats;
  readonly residual: Data | null;
  readonly weight: Float64Array | null;
  readonly bias: Float64Array | null;
  readonly frozen: Readonly<Record<"mean" | "invStd", Float64Array>> | null;
}

/** A case's inputs and the oracle's results. */
export interface Reference {
  readonly test: Case;
  /** With batch statistics: `y` and the fields that moments and forward leave. */
  readonly batch: { readonly fields: Fields; readonly arrays: Arrays };
  /** With the statistics of the case, frozen or not: the fields and arrays of everything else. */
  readonly own: { readonly fields: Fields; readonly arrays: Arrays };
  /** With weights, never frozen; and Σw. */
  readonly weighted: { readonly fields: Fields; readonly arrays: Arrays; readonly count: number };
}

export function setUp(control: Control, test: Case): void {
  control.set("eps", test.eps);
  control.set("slope", test.slope);
  control.set(
    "flags",
    (test.relu ? Flag.relu : 0) |
      (test.slope > 0 ? Flag.leaky : 0) |
      (test.storedOutput ? Flag.auxIsOutput : 0) |
      (test.inverse ? Flag.inverse : 0) |
      (test.frozen ? Flag.frozen : 0),
  );
}

/** Statistics of other data, as running statistics are: near the channel's values, not representable in float32. */
function frozenOf({ extent }: Case, x: Data, next: () => number): NonNullable<Inputs["frozen"]> {
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
    frozen: test.frozen ? frozenOf(test, x, next) : null,
    w: positionWeights(type, test.index, extent, next),
  };
}

export function snapshot(control: Control): Fields {
  return Object.fromEntries(FIELDS.map((name) => [name, control.fields[name].slice()])) as Fields;
}

/** The oracle's results of a case, from the four unfused kernels: the fused ones must equal their composition. */
export function referenceOf(test: Case, kernels: Kernels = oracle, inputs: Inputs = inputsOf(test)): Reference {
  const { dtype, extent } = test;
  const { x, dy, w, residual } = inputs;
  const fresh = (): Data => allocate(dtype, sizeOf(extent));
  const control = controlOf(test, inputs);

  kernels.moments(control, x);
  batchInvStd(control);
  affineCoefficients(control);
  const batchY = fresh();
  kernels.normalize(control, x, batchY, residual);
  const batchFields = snapshot(control);

  const y = inputs.frozen ? fresh() : batchY;
  if (inputs.frozen) {
    control.fields.mean.set(inputs.frozen.mean);
    control.fields.invStd.set(inputs.frozen.invStd);
    affineCoefficients(control);
    kernels.normalize(control, x, y, residual);
  }
  const aux = !test.relu ? null : test.storedOutput ? y : residual;
  const dx = fresh();
  const dresidual = test.dresidual ? fresh() : null;
  const kept = test.inverse ? y : x;
  kernels.gradSums(control, kept, dy, aux);
  gradCoefficients(control);
  kernels.gradInput(control, kept, dy, dx, aux, dresidual);
  const zeroed = fresh();
  kernels.zeroMasked(control, x, zeroed, w);
  const arrays = { x, kept, dy, w, y, dx, residual, aux, dresidual, zeroed };
  return {
    test,
    batch: { fields: batchFields, arrays: { ...arrays, y: batchY } },
    own: { fields: snapshot(control), arrays },
    weighted: weightedOf({ ...test, frozen: false }, kernels, inputs, arrays),
  };
}

function controlOf(test: Case, inputs: Inputs): Control {
  const control = new Control(test.dtype, test.extent);
  setUp(control, test);
  if (inputs.weight) control.fields.weight.set(inputs.weight);
  if (inputs.bias) control.fields.bias.set(inputs.bias);
  return control;
}

function weightedOf(test: Case, kernels: Kernels, inputs: Inputs, arrays: Arrays): Reference["weighted"] {
  const { x, dy, w, residual } = inputs;
  const control = controlOf(test, inputs);
  const [y, dx] = [arrays.y, arrays.dx].map((data) => allocate(test.dtype, data.length)) as [Data, Data];
  const dresidual = arrays.dresidual && allocate(test.dtype, x.length);
  kernels.weightedMoments(control, x, w);
  batchInvStd(control);
  affineCoefficients(control);
  kernels.normalize(control, x, y, residual);
  const aux = !test.relu ? null : test.storedOutput ? y : residual;
  const kept = test.inverse ? y : x;
  kernels.gradSums(control, kept, dy, aux);
  gradCoefficients(control);
  kernels.weightedGradInput(control, kept, dy, dx, aux, dresidual, w);
  return { fields: snapshot(control), arrays: { ...arrays, kept, y, dx, aux, dresidual }, count: control.get("count") };
}
