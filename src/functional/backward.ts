// The stateless backward functions: the whole backward, and its three parts for callers that act in between.
import type { BackendRequest } from "../backends/backend.js";
import { workspaceOf } from "../arguments/forward.js";
import {
  checkUncut,
  gradientsOf,
  readBackward,
  resultOf,
  type BackwardOptions,
  type Gradients,
} from "../arguments/backward.js";
import { checkData } from "../base/check.js";
import { now } from "../base/later.js";
import { readOptions } from "../base/options.js";
import { RESOURCES, readResources, type Resources } from "../arguments/resources.js";
import type { Workspace } from "../engine/workspace.js";
import { gradCoefficientsOf, type GradCoefficients, type GradSums } from "../engine/backward.js";
import type { SameForm, Tensor } from "../values/plan.js";
import { markUsed, readSaved, sizeOf, type Saved } from "../values/saved.js";
import { allocateOutput } from "../base/outputs.js";
import { type ArrayOf, type Data, type DType, type DTypeOf, type Float16Values } from "../base/types.js";
import {
  gradInputResult,
  gradSumsResult,
  prepareGradInput,
  prepareGradSums,
  writeGradInput,
} from "./prepare-gradients.js";

/** The options that choose what runs a backward without a layer. */
export interface BackendOptions {
  /**
   * The backend to run on. If it cannot be used, the call throws a `BackendUnavailableError`. By default the
   * environment variable `BATCHNORM_BACKEND` decides, else the best backend that works here is used.
   */
  backend?: BackendRequest | undefined;
  /**
   * The upper limit of threads, a positive integer. Native kernels have several, and so has WebAssembly in a shared
   * arena and in asynchronous calls that make no new output. By default the environment variable `BATCHNORM_THREADS` decides, else all cores that this process may use. The result
   * has the same bits with any number of threads.
   */
  threads?: number | undefined;
}

function workspaceFor(saved: Saved, resources: Resources, whole = sizeOf(saved)): Workspace {
  return workspaceOf(saved.dtype, saved, saved.sampleWeights !== null, resources, whole);
}

/**
 * Computes the gradients of a forward (Ioffe & Szegedy 2015, section 3). Let g be gradOutput after the gradient of the
 * activation. Let x̂ = (x − μ)·r be the normalized value, with r = 1/√(σ² + ε). Sums go over the n values of one
 * channel.
 *
 * - With the statistics of the batch: gradInput = γ·r·(g − Σg/n − x̂·Σ(g·x̂)/n).
 * - With running statistics: gradInput = γ·r·g.
 * - With weights w and W = Σw: gradInput = γ·r·(g − w·(Σg + x̂·Σ(g·x̂))/W). The sums go over all positions.
 * - gradWeight = Σ(g·x̂), gradBias = Σg, gradResidual = g.
 * - With PReLU, gradSlope = Σ gradOutput·z over the z that are not positive. z is what the activation was given.
 *
 * With ReLU, g is gradOutput where the output is positive or NaN, else 0. Where r is 0, gradInput and gradWeight are 0.
 * With `maskedOutput: "zero"`, gradInput and gradResidual are +0 where the weight is 0, and gradOutput is ignored
 * there.
 *
 * @param gradOutput The gradient of the loss with respect to the output. It is as long as x.
 * @param saved The token of the forward. It serves one backward.
 * @param options The gradients that are needed, the arrays to write to, and the backend.
 * @returns The gradients with respect to x, `weight`, `bias` and the residual.
 * @throws TypeError or RangeError if there is no token or it cannot be used (`ERR_BATCHNORM_SAVED`).
 * @throws TypeError or RangeError if an argument is wrong, before anything is written. `ErrorCode` lists the codes.
 */
export function batchNormBackward<D extends DType, Input extends boolean = true>(
  gradOutput: ArrayOf<D>,
  saved: Saved<D>,
  options?: BackwardOptions<D, Input> & BackendOptions,
): Gradients<D, ArrayOf<D>, Input>;
/**
 * Computes the gradients of a forward from a gradient that is a tensor. The overload for an array has the formulas.
 *
 * @param gradOutput The gradient of the loss with respect to the output, as a tensor of the shape of x.
 * @param saved The token of the forward. It serves one backward.
 * @param options The gradients that are needed, the arrays to write to, and the backend.
 * @returns The gradients with respect to x, `weight`, `bias` and the residual. Those of the size of x are tensors.
 * @throws TypeError or RangeError if there is no token or it cannot be used (`ERR_BATCHNORM_SAVED`).
 * @throws TypeError or RangeError if an argument is wrong, before anything is written. `ErrorCode` lists the codes.
 */
export function batchNormBackward<D extends DType, T extends Tensor<D>, Input extends boolean = true>(
  gradOutput: T,
  saved: Saved<D>,
  options?: BackwardOptions<D, Input> & BackendOptions,
): Gradients<D, SameForm<T, D>, Input>;
/**
 * Computes the gradients of a forward in code that is generic over the type of the arrays. The first overload has the
 * formulas.
 *
 * @param gradOutput The gradient of the loss with respect to the output. It is as long as x.
 * @param saved The token of the forward. It serves one backward.
 * @param options The gradients that are needed, the arrays to write to, and the backend.
 * @returns The gradients with respect to x, `weight`, `bias` and the residual.
 * @throws TypeError or RangeError if there is no token or it cannot be used (`ERR_BATCHNORM_SAVED`).
 * @throws TypeError or RangeError if an argument is wrong, before anything is written. `ErrorCode` lists the codes.
 */
export function batchNormBackward<A extends Data | Float16Values, Input extends boolean = true>(
  gradOutput: A,
  saved: Saved<DTypeOf<A>>,
  options?: BackwardOptions<DTypeOf<A>, Input> & BackendOptions,
): Gradients<DTypeOf<A>, ArrayOf<DTypeOf<A>>, Input>;
export function batchNormBackward(gradOutput: unknown, token: Saved, given?: unknown): unknown {
  const options = readOptions(given, ["out", "residualOut", "accumulate", "need", ...RESOURCES]);
  const call = readBackward(gradOutput, token, options, allocateOutput);
  const resources = readResources(options);
  const grads = now(gradientsOf(call, (saved) => workspaceFor(saved, resources, sizeOf(call.saved))));
  markUsed(call.saved, call.arrays.dx);
  return resultOf(call, grads);
}

/**
 * Computes the sums over the batch that a backward needs, and the gradients of γ and β that follow from them. The token
 * is not used up.
 *
 * Synchronized batch normalization adds `sumG` and `sumGX` over all parts, in a fixed order. `gradWeight`, `gradBias`
 * and, with PReLU, `gradSlope` belong to this part and are added like the gradients of any other parameter.
 *
 * torch.batch_norm_backward_reduce does the same. It centres its second sum at the mean, and `sumGX` is centred at the
 * mean rounded to the data's type. It knows no activation, no masks and no weights.
 *
 * @param gradOutput The gradient of the loss with respect to the output, as long as x, or a tensor of the shape of x.
 * @param saved The token of the forward.
 * @param options The backend and the number of threads.
 * @returns New arrays with one element per channel.
 * @throws TypeError or RangeError if there is no token or it cannot be used (`ERR_BATCHNORM_SAVED`).
 */
export function batchNormGradSums<D extends DType>(
  gradOutput: ArrayOf<D> | Tensor<D>,
  saved: Saved<D>,
  options?: BackendOptions,
): GradSums & Pick<Gradients<D>, "gradWeight" | "gradBias" | "gradSlope">;
/**
 * Computes the sums of a backward in code that is generic over the type of the arrays. The first overload says more.
 *
 * @param gradOutput The gradient of the loss with respect to the output. It is as long as x.
 * @param saved The token of the forward.
 * @param options The backend and the number of threads.
 * @returns New arrays with one element per channel.
 * @throws TypeError or RangeError if there is no token or it cannot be used (`ERR_BATCHNORM_SAVED`).
 */
export function batchNormGradSums<A extends Data | Float16Values>(
  gradOutput: A,
  saved: Saved<DTypeOf<A>>,
  options?: BackendOptions,
): GradSums & Pick<Gradients<DTypeOf<A>>, "gradWeight" | "gradBias" | "gradSlope">;
export function batchNormGradSums(gradOutput: unknown, saved: Saved, options?: unknown): unknown {
  const prepared = prepareGradSums(gradOutput, saved, options);
  return now(gradSumsResult(workspaceFor(prepared.saved, prepared.resources), prepared));
}

/**
 * Computes the coefficients of `batchNormGradInput` from sums over all parts of the batch. The token is not used up.
 *
 * The sums are divided by the count of the token. If the forward was given merged `moments`, this is the count of all
 * parts. In torch this is a step of torch.batch_norm_backward_elemt, which is given the counts of all parts instead.
 *
 * @param saved The token of the forward.
 * @param sums The sums that `batchNormGradSums` returned, added over all parts of the batch.
 * @returns New arrays with one element per channel.
 * @throws TypeError or RangeError if the token cannot be used (`ERR_BATCHNORM_SAVED`).
 * @throws RangeError if the sums do not have one element per channel (`ERR_BATCHNORM_SHAPE`).
 */
export function batchNormGradCoefficients(saved: Saved, sums: GradSums): GradCoefficients {
  const { sumG, sumGX } = readOptions(sums, ["sumG", "sumGX", "gradWeight", "gradBias", "gradSlope"], "sums");
  const checked = readSaved(saved);
  checkUncut(checked);
  return gradCoefficientsOf(checked, {
    sumG: checkData("sumG", sumG, "float64", checked.channels) as Float64Array,
    sumGX: checkData("sumGX", sumGX, "float64", checked.channels) as Float64Array,
  });
}

/** The result of `batchNormGradInput`: `gradInput`, and `gradResidual` if the forward had a residual. */
export type InputGradients<D extends DType, Output = ArrayOf<D>> = Pick<
  Gradients<D, Output>,
  "gradInput" | "gradResidual"
>;

/**
 * Computes `gradInput` from the coefficients: gradInput = (g − w·(gradShift + (x − center)·gradSlope))·gradScale. g is
 * gradOutput after the gradient of the activation, w the weight (1 without weights), and center the mean rounded to the
 * data's type. With running statistics gradInput = g·gradScale. The call uses up the token.
 *
 * torch.batch_norm_backward_elemt does the same, together with the step of `batchNormGradCoefficients`. It knows no
 * activation, no residual, no masks and no weights.
 *
 * @param gradOutput The gradient of the loss with respect to the output. It is as long as x.
 * @param saved The token of the forward. It serves one backward.
 * @param coefficients The result of `batchNormGradCoefficients`.
 * @param options The arrays to write to, and the backend.
 * @returns `gradInput`, and `gradResidual` if the forward had a residual.
 * @throws TypeError or RangeError if there is no token or it cannot be used (`ERR_BATCHNORM_SAVED`).
 * @throws TypeError or RangeError if an argument is wrong, before anything is written. `ErrorCode` lists the codes.
 */
export function batchNormGradInput<D extends DType>(
  gradOutput: ArrayOf<D>,
  saved: Saved<D>,
  coefficients: GradCoefficients,
  options?: Omit<BackwardOptions<D>, "accumulate" | "need"> & BackendOptions,
): InputGradients<D>;
/**
 * Computes `gradInput` from the coefficients and a gradient that is a tensor. The overload for an array has the
 * formula. The call uses up the token.
 *
 * @param gradOutput The gradient of the loss with respect to the output, as a tensor of the shape of x.
 * @param saved The token of the forward. It serves one backward.
 * @param coefficients The result of `batchNormGradCoefficients`.
 * @param options The arrays to write to, and the backend.
 * @returns `gradInput`, and `gradResidual` if the forward had a residual. Both are tensors of the form of gradOutput.
 * @throws TypeError or RangeError if there is no token or it cannot be used (`ERR_BATCHNORM_SAVED`).
 * @throws TypeError or RangeError if an argument is wrong, before anything is written. `ErrorCode` lists the codes.
 */
export function batchNormGradInput<D extends DType, T extends Tensor<D>>(
  gradOutput: T,
  saved: Saved<D>,
  coefficients: GradCoefficients,
  options?: Omit<BackwardOptions<D>, "accumulate" | "need"> & BackendOptions,
): InputGradients<D, SameForm<T, D>>;
/**
 * Computes `gradInput` from the coefficients in code that is generic over the type of the arrays. The first overload says more.
 *
 * @param gradOutput The gradient of the loss with respect to the output. It is as long as x.
 * @param saved The token of the forward. It serves one backward.
 * @param coefficients The result of `batchNormGradCoefficients`.
 * @param options The arrays to write to, and the backend.
 * @returns `gradInput`, and `gradResidual` if the forward had a residual.
 * @throws TypeError or RangeError if there is no token or it cannot be used (`ERR_BATCHNORM_SAVED`).
 * @throws TypeError or RangeError if an argument is wrong, before anything is written. `ErrorCode` lists the codes.
 */
export function batchNormGradInput<A extends Data | Float16Values>(
  gradOutput: A,
  saved: Saved<DTypeOf<A>>,
  coefficients: GradCoefficients,
  options?: Omit<BackwardOptions<DTypeOf<A>>, "accumulate" | "need"> & BackendOptions,
): InputGradients<DTypeOf<A>>;
export function batchNormGradInput(gradOutput: unknown, token: Saved, given: unknown, options?: unknown): unknown {
  const prepared = prepareGradInput(gradOutput, token, given, options);
  const { saved, arrays, resources } = prepared;
  now(writeGradInput(prepared, (own) => workspaceFor(own, resources)));
  markUsed(saved, arrays.dx);
  return gradInputResult(prepared);
}
