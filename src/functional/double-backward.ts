// The stateless double backward, for losses that contain gradients, such as gradient penalties.
import { checkOperand, workspaceOf } from "../arguments/forward.js";
import { checkWhole, readGrad } from "../arguments/backward.js";
import { copyInto, tableOf } from "../base/arrays.js";
import { checkOptionalData } from "../base/check.js";
import { readOptions } from "../base/options.js";
import { RESOURCES, readResources } from "../arguments/resources.js";
import { doubleBackward, type DoubleBackwardArrays } from "../engine/double-backward.js";
import { apartLike, togetherLike } from "../policies/apart-axes.js";
import { rangeError } from "../base/errors.js";
import type { BackendOptions } from "./backward.js";
import { asGiven, readOperand, type Operand, type SameForm, type Tensor } from "../values/plan.js";
import { isPiecewiseLinear, nameOfActivation } from "../values/activation.js";
import { sizeOf, type Saved } from "../values/saved.js";
import {
  allocate,
  floatTypeOf,
  type ArrayOf,
  type DType,
  type Floats,
  type ParametersOf,
  type Data,
  type DTypeOf,
  type Float16Values,
} from "../base/types.js";

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

/**
 * The result of a double backward. The gradients with respect to β and the residual are 0, so they are not returned.
 */
export interface DoubleGradients<D extends DType, Output = ArrayOf<D>> {
  /** The gradient with respect to x, in the shape of x. */
  readonly gradInput: Output;
  /** The gradient with respect to γ, one element per channel, or null if the forward had no `weight`. */
  readonly gradWeight: ParametersOf<D> | null;
  /** The gradient with respect to the gradOutput that the backward was given, in the shape of x. */
  readonly gradGradOutput: Output;
}

type Name = keyof GradGradients<DType>;
const NAMES = [
  "gradGradInput",
  "gradGradWeight",
  "gradGradBias",
  "gradGradResidual",
] as const satisfies readonly Name[];

/** Reads the given gradients once and leaves out those that are null. */
function readGiven(value: unknown): Partial<Record<Name, unknown>> {
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

/**
 * Differentiates through a backward, for a loss that contains gradients, such as a gradient penalty. Given the
 * gradients of the loss with respect to the results of a backward, it returns those with respect to x, γ and
 * gradOutput.
 *
 * Let c = x − μ, n the number of values per channel, and g the gradOutput after the gradient of the activation. Let a,
 * u and b be the given gradients with respect to gradInput, gradWeight and gradBias. Sums go over the values of one
 * channel.
 *
 *     F(g, γ) = γ·r·(g − Σg/n − c·r²·Σ(g·c)/n), which is the first backward
 *     A = Σa·Σg/n − Σ(a·g) + 3·r²·Σ(g·c)·Σ(a·c)/n
 *     gradInput = γ·r³/n·(c·A + Σ(a·c)·(Σg/n − g) + Σ(g·c)·(Σa/n − a)) + u·F(g, 1)
 *     gradWeight = Σ(a·F(g, 1))
 *     gradGradOutput = F(a, γ) + u·c·r + b
 *
 * With running statistics, gradInput = u·r·g, gradWeight = Σ(a·r·g) and gradGradOutput = γ·r·a + u·c·r + b. A given
 * gradient with respect to gradResidual is added to gradGradOutput. With ReLU, gradGradOutput is 0 where the output was
 * not positive.
 *
 * There is no division by γ, so γ = 0 is exact. All backends return the same bits. The error of an element is a few
 * units in the last place of the sum of the magnitudes of its terms. float32 loses products of a and c below 1e-38.
 *
 * You may call it before or after the backward, and several times. It does not use up the token.
 *
 * @param saved The token of the forward. A token that a backward has used is accepted.
 * @param gradOutput The gradient that the backward was given, unchanged. It is as long as x.
 * @param gradients The gradients of the loss with respect to the results of the backward.
 * @param options The backend and the number of threads.
 * @returns The gradients with respect to x, `weight` and gradOutput.
 * @throws RangeError if the backward wrote gradInput over x (`ERR_BATCHNORM_SAVED`).
 * @throws RangeError if the activation was a PReLU, hard-swish or squared ReLU (`ERR_BATCHNORM_SAVED`).
 * @throws RangeError if the forward saved its output, or was given moments of other samples too, or if its gradients
 * depend on a mask or on weights (`ERR_BATCHNORM_SAVED`).
 * @throws TypeError or RangeError if an argument is wrong. `ErrorCode` lists the codes.
 */
export function batchNormDoubleBackward<D extends DType>(
  saved: Saved<D>,
  gradOutput: ArrayOf<D>,
  gradients: GradGradients<D>,
  options?: BackendOptions,
): DoubleGradients<D>;
/**
 * Differentiates through a backward whose gradOutput is a tensor. The overload for an array has the formulas.
 *
 * @param saved The token of the forward. A token that a backward has used is accepted.
 * @param gradOutput The gradient that the backward was given, unchanged, as a tensor of the shape of x.
 * @param gradients The gradients of the loss with respect to the results of the backward.
 * @param options The backend and the number of threads.
 * @returns The gradients with respect to x, `weight` and gradOutput. Those of the size of x are tensors.
 * @throws RangeError if the backward wrote gradInput over x (`ERR_BATCHNORM_SAVED`).
 * @throws RangeError if the forward saved its output, or was given moments of other samples too, or if its gradients
 * depend on a mask or on weights (`ERR_BATCHNORM_SAVED`).
 * @throws TypeError or RangeError if an argument is wrong. `ErrorCode` lists the codes.
 */
export function batchNormDoubleBackward<D extends DType, T extends Tensor<D>>(
  saved: Saved<D>,
  gradOutput: T,
  gradients: GradGradients<D>,
  options?: BackendOptions,
): DoubleGradients<D, SameForm<T, D>>;
/**
 * Differentiates through a backward in code that is generic over the type of the arrays. The first overload says more.
 *
 * @param saved The token of the forward. A token that a backward has used is accepted.
 * @param gradOutput The gradient that the backward was given, unchanged. It is as long as x.
 * @param gradients The gradients of the loss with respect to the results of the backward.
 * @param options The backend and the number of threads.
 * @returns The gradients with respect to x, γ and gradOutput.
 * @throws TypeError or RangeError if an argument is wrong. `ErrorCode` lists the codes.
 */
export function batchNormDoubleBackward<A extends Data | Float16Values>(
  saved: Saved<DTypeOf<A>>,
  gradOutput: A,
  gradients: GradGradients<DTypeOf<A>, A>,
  options?: BackendOptions,
): DoubleGradients<DTypeOf<A>>;
export function batchNormDoubleBackward(
  token: Saved,
  gradOutput: unknown,
  gradients: unknown,
  options?: unknown,
): unknown {
  const read = readOptions(options, RESOURCES);
  const given = readGiven(gradients);
  const operand = (name: Name): Operand | null => (name in given ? readOperand(name, given[name]) : null);
  const input = operand("gradGradInput");
  const residual = operand("gradGradResidual");
  const {
    saved,
    dy,
    operand: form,
  } = readGrad(gradOutput, token, { dtype: null, channels: null, again: true, ofPart: false });
  const size = sizeOf(saved);
  checkUsable(saved);
  checkPresent(given, saved);
  const { dtype, channels } = saved;
  const type = floatTypeOf(dtype);
  const plan = { dtype, size, shape: saved.shape };
  const arrays: DoubleBackwardArrays = {
    dy: togetherLike(saved, dy),
    ddx: input && togetherLike(saved, checkOperand("gradGradInput", input, plan)),
    ddresidual: residual && togetherLike(saved, checkOperand("gradGradResidual", residual, plan)),
    ddweight: optionalTable(checkOptionalData("gradGradWeight", given.gradGradWeight, type, channels)),
    ddbias: optionalTable(checkOptionalData("gradGradBias", given.gradGradBias, type, channels)),
    dx: allocate(dtype, size),
    ddy: allocate(dtype, size),
  };
  const table = doubleBackward(workspaceOf(dtype, saved, false, readResources(read)), saved, arrays);
  const gradWeight = saved.hasWeight ? allocate(type, channels) : null;
  if (gradWeight) copyInto(gradWeight, table);
  return {
    gradInput: asGiven(form, apartLike(saved, arrays.dx)),
    gradWeight,
    gradGradOutput: asGiven(form, apartLike(saved, arrays.ddy)),
  };
}
