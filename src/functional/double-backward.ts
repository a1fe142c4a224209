// The stateless double backward, for losses that contain gradients, such as gradient penalties.
import { workspaceOf } from "../arguments/forward.js";
import { now } from "../base/later.js";
import { allocateOutput } from "../base/outputs.js";
import type { ArrayOf, Data, DType, DTypeOf, Float16Values, ParametersOf } from "../base/types.js";
import { doubleBackward } from "../engine/double-backward.js";
import type { SameForm, Tensor } from "../values/plan.js";
import type { Saved } from "../values/saved.js";
import type { BackendOptions } from "./backward.js";
import {
  arraysFor,
  doubleBackwardResult,
  prepareDoubleBackward,
  type GradGradients,
} from "./prepare-double-backward.js";

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
  const prepared = prepareDoubleBackward(token, gradOutput, gradients, options);
  const { saved, resources } = prepared;
  const arrays = arraysFor(prepared, allocateOutput);
  const ofWeight = now(doubleBackward(workspaceOf(saved.dtype, saved, false, resources), saved, arrays));
  return doubleBackwardResult(prepared, arrays, ofWeight);
}
