// What a double backward does before its kernels run and after that, at once or asynchronously.
import { checkWhole, readGrad, type Own } from "../arguments/backward.js";
import { checkOperand } from "../arguments/forward.js";
import { RESOURCES, readResources } from "../arguments/resources.js";
import { copyInto, tableOf } from "../base/arrays.js";
import { checkOptionalData } from "../base/check.js";
import { rangeError } from "../base/errors.js";
import { readOptions } from "../base/options.js";
import {
  allocate,
  floatTypeOf,
  type ArrayOf,
  type Data,
  type DType,
  type Floats,
  type ParametersOf,
} from "../base/types.js";
import { overwrites, type DoubleBackwardArrays, type Incoming } from "../engine/double-backward.js";
import { apartLike, togetherLike } from "../policies/apart-axes.js";
import { isPiecewiseLinear, nameOfActivation } from "../values/activation.js";
import { asGiven, readOperand, type Operand, type Tensor } from "../values/plan.js";
import { sizeOf, type Saved } from "../values/saved.js";
import type { Given } from "./prepare-gradients.js";

/**
 * The gradients of a loss with respect to the results of a backward. Leave out those that are 0: they cost nothing
 * then. A gradient of a result that the backward does not have throws `ERR_BATCHNORM_OPTION`.
 */
export interface GradGradients<D extends DType, A = ArrayOf<D> | Tensor<D>> {
  /** The gradient with respect to `gradInput`. It is as long as x. */
  gradGradInput?: A | null | undefined;
  /** The gradient with respect to `gradWeight`, one element per channel. */
  gradGradWeight?: ParametersOf<D> | null | undefined;
  /** The gradient with respect to `gradBias`, one element per channel. */
  gradGradBias?: ParametersOf<D> | null | undefined;
  /** The gradient with respect to `gradResidual`. It is as long as x. */
  gradGradResidual?: A | null | undefined;
}

type Name = keyof GradGradients<DType>;
const NAMES = [
  "gradGradInput",
  "gradGradWeight",
  "gradGradBias",
  "gradGradResidual",
] as const satisfies readonly Name[];

/** Reads the given gradients once and leaves out those that are null. */
function readGradients(value: unknown): Partial<Record<Name, unknown>> {
  const given = readOptions(value, NAMES, "gradients");
  for (const name of NAMES) if (given[name] === null) delete given[name];
  return given;
}

/** Checks that gradients are given only for results that the backward has. */
function checkPresent(given: Partial<Record<Name, unknown>>, { hasWeight, hasBias, hasResidual }: Saved): void {
  const needs: readonly (readonly [Name, boolean, string])[] = [
    ["gradGradWeight", hasWeight, "weight"],
    ["gradGradBias", hasBias, "bias"],
    ["gradGradResidual", hasResidual, "residual"],
  ];
  for (const [name, present, what] of needs) {
    if (name in given && !present) throw rangeError("ERR_BATCHNORM_OPTION", `"${name}" needs a forward with a ${what}`);
  }
}

/** Rejects tokens that a double backward cannot use. Statistics of more samples would need sums over all of them. */
function checkUsable(saved: Saved): void {
  const { xIsOutput, sampleWeights } = saved;
  if (!isPiecewiseLinear(saved.activation)) {
    const got = nameOfActivation(saved.activation);
    throw rangeError(
      "ERR_BATCHNORM_SAVED",
      `"saved" expected a piecewise linear activation without slopes, got "${got}"`,
    );
  }
  if (xIsOutput) throw rangeError("ERR_BATCHNORM_SAVED", `"saved" expected a forward that saved its x, not its output`);
  // With fixed statistics a token keeps weights only for outputs that they make 0.
  if (sampleWeights)
    throw rangeError("ERR_BATCHNORM_SAVED", `"saved" expected gradients that do not depend on a mask or on weights`);
  if (saved.renorm)
    throw rangeError("ERR_BATCHNORM_SAVED", `"saved" expected a forward without "renorm", whose r and d are constants`);
  if (saved.conditional)
    throw rangeError("ERR_BATCHNORM_SAVED", `"saved" expected a forward whose γ and β are the same for all samples`);
  checkWhole("a double backward", saved);
}

/** Copies one element per channel to float64. */
function optionalTable(data: Floats | null): Float64Array | null {
  return data && tableOf(data);
}

/** A double backward that was checked. Arrays are in the order of the token's data. */
export interface PreparedDoubleBackward extends Given {
  readonly saved: Saved;
  /** gradOutput, whose form results have. */
  readonly operand: Operand;
  readonly dy: Data;
  readonly incoming: Incoming;
}

/** Checks a double backward. `allowed` are the names of its options. */
export function prepareDoubleBackward(
  token: unknown,
  gradOutput: unknown,
  gradients: unknown,
  given: unknown,
  allowed: readonly string[] = RESOURCES,
): PreparedDoubleBackward {
  const options = readOptions(given, allowed);
  const read = readGradients(gradients);
  const operandOf = (name: Name): Operand | null => (name in read ? readOperand(name, read[name]) : null);
  const input = operandOf("gradGradInput");
  const residual = operandOf("gradGradResidual");
  const call = readGrad(gradOutput, token, { dtype: null, channels: null, again: true, ofPart: false });
  const { saved, operand } = call;
  checkUsable(saved);
  checkPresent(read, saved);
  const { dtype, channels } = saved;
  const type = floatTypeOf(dtype);
  const plan = { dtype, size: sizeOf(saved), shape: saved.shape };
  const incoming = {
    ddx: input && togetherLike(saved, checkOperand("gradGradInput", input, plan)),
    ddresidual: residual && togetherLike(saved, checkOperand("gradGradResidual", residual, plan)),
    ddweight: optionalTable(checkOptionalData("gradGradWeight", read.gradGradWeight, type, channels)),
    ddbias: optionalTable(checkOptionalData("gradGradBias", read.gradGradBias, type, channels)),
  };
  const dy = togetherLike(saved, call.dy);
  return { options, resources: readResources(options), saved, operand, dy, incoming };
}

/** Makes the arrays of the results. `own` makes one that kernels write whole. */
export function arraysFor({ saved, dy, incoming }: PreparedDoubleBackward, own: Own<Data>): DoubleBackwardArrays {
  const { ddx, ddresidual, ddweight, ddbias } = incoming;
  const isWhole = overwrites(saved, incoming);
  const make = (whole: boolean): Data => (whole ? own : allocate)(saved.dtype, sizeOf(saved));
  return { dy, ddx, ddresidual, ddweight, ddbias, dx: make(isWhole.dx), ddy: make(isWhole.ddy) };
}

/** The result of a double backward whose arrays are filled. `ofWeight` is the gradient to γ. */
export function doubleBackwardResult(
  { saved, operand }: PreparedDoubleBackward,
  { dx, ddy }: Pick<DoubleBackwardArrays, "dx" | "ddy">,
  ofWeight: Float64Array,
): unknown {
  const gradWeight = saved.hasWeight ? allocate(floatTypeOf(saved.dtype), saved.channels) : null;
  if (gradWeight) copyInto(gradWeight, ofWeight);
  return {
    gradInput: asGiven(operand, apartLike(saved, dx)),
    gradWeight,
    gradGradOutput: asGiven(operand, apartLike(saved, ddy)),
  };
}
