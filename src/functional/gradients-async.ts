// The parts of a backward and the double backward, whose kernels run while the event loop goes on. The results have the bits of
// the synchronous ones.
import { keepAll, outputOf, promiseOutput, withRun, type AsyncOptions } from "../arguments/async.js";
import { makerFor, runWithToken, useOf, workspacesOf } from "../arguments/backward-async.js";
import type { BackwardOptions, Gradients } from "../arguments/backward.js";
import { RESOURCES } from "../arguments/resources.js";
import { tableOf } from "../base/arrays.js";
import { readSignal } from "../base/signal.js";
import type { ArrayOf, Data, DType, DTypeOf, Float16Values } from "../base/types.js";
import type { GradCoefficients, GradSums } from "../engine/backward.js";
import { doubleBackward } from "../engine/double-backward.js";
import type { SameForm, Tensor } from "../values/plan.js";
import type { Saved } from "../values/saved.js";
import type { BackendOptions, InputGradients } from "./backward.js";
import type { DoubleGradients } from "./double-backward.js";
import {
  arraysFor,
  doubleBackwardResult,
  prepareDoubleBackward,
  type GradGradients,
} from "./prepare-double-backward.js";
import {
  GRAD_INPUT_OPTIONS,
  gradInputResult,
  gradSumsResult,
  prepareGradInput,
  prepareGradSums,
  writeGradInput,
} from "./prepare-gradients.js";

const OPTIONS = [...RESOURCES, "signal"] as const;

/**
 * Computes the sums over the batch that a backward needs, as `batchNormGradSums` does, while the event loop goes on. The token
 * is not used up. Do not change the arrays of the call and of the token before the promise is settled.
 * `batchNormTrainingAsync` says when the call works on another thread.
 *
 * @param gradOutput The gradient of the loss with respect to the output, as long as x, or a tensor of the shape of x.
 * @param saved The token of the forward.
 * @param options The options of `batchNormGradSums`, and a signal.
 * @returns A promise of new arrays with one element per channel.
 * @throws It rejects with the errors of `batchNormGradSums`, with the reason of the signal, and with
 * `ERR_BATCHNORM_DETACHED` if an array lost its memory meanwhile.
 */
export function batchNormGradSumsAsync<D extends DType>(
  gradOutput: ArrayOf<D> | Tensor<D>,
  saved: Saved<D>,
  options?: BackendOptions & AsyncOptions,
): Promise<GradSums & Pick<Gradients<D>, "gradWeight" | "gradBias" | "gradSlope">>;
/**
 * Computes the sums of a backward in code that is generic over the type of the arrays, while the event loop goes on.
 *
 * @param gradOutput The gradient of the loss with respect to the output. It is as long as x.
 * @param saved The token of the forward.
 * @param options The options of `batchNormGradSums`, and a signal.
 * @returns A promise of new arrays with one element per channel.
 * @throws It rejects where the first overload does.
 */
export function batchNormGradSumsAsync<A extends Data | Float16Values>(
  gradOutput: A,
  saved: Saved<DTypeOf<A>>,
  options?: BackendOptions & AsyncOptions,
): Promise<GradSums & Pick<Gradients<DTypeOf<A>>, "gradWeight" | "gradBias" | "gradSlope">>;
// Errors of the arguments reject the promise, too.
export async function batchNormGradSumsAsync(gradOutput: unknown, token: Saved, options?: unknown): Promise<unknown> {
  const prepared = prepareGradSums(gradOutput, token, options, OPTIONS);
  const { saved, dy, resources } = prepared;
  return withRun(useOf(saved), resources, readSignal(prepared.options), async (run) => {
    if (run) keepAll(run, [dy, saved.x, saved.residualOrOutput], []);
    return gradSumsResult(workspacesOf(run, resources)(saved), prepared);
  });
}

/**
 * Computes `gradInput` from the coefficients, as `batchNormGradInput` does, while the event loop goes on. The token is used up
 * unless the promise is rejected. Do not change the arrays of the call and of the token before the promise is settled.
 *
 * @param gradOutput The gradient of the loss with respect to the output. It is as long as x.
 * @param saved The token of the forward. It serves one backward.
 * @param coefficients The result of `batchNormGradCoefficients`. It is copied.
 * @param options The options of `batchNormGradInput`, and a signal.
 * @returns A promise of `gradInput`, and of `gradResidual` if the forward had a residual.
 * @throws It rejects with the errors of `batchNormGradInput`, with the reason of the signal, and with
 * `ERR_BATCHNORM_DETACHED` if an array lost its memory meanwhile.
 */
export function batchNormGradInputAsync<D extends DType>(
  gradOutput: ArrayOf<D>,
  saved: Saved<D>,
  coefficients: GradCoefficients,
  options?: Omit<BackwardOptions<D>, "accumulate" | "need"> & BackendOptions & AsyncOptions,
): Promise<InputGradients<D>>;
/**
 * Computes `gradInput` from the coefficients and a gradient that is a tensor, while the event loop goes on.
 *
 * @param gradOutput The gradient of the loss with respect to the output, as a tensor of the shape of x.
 * @param saved The token of the forward. It serves one backward.
 * @param coefficients The result of `batchNormGradCoefficients`. It is copied.
 * @param options The options of `batchNormGradInput`, and a signal.
 * @returns A promise of `gradInput`, and of `gradResidual` if the forward had a residual. Both are tensors of the form of
 * gradOutput.
 * @throws It rejects where the overload for an array does.
 */
export function batchNormGradInputAsync<D extends DType, T extends Tensor<D>>(
  gradOutput: T,
  saved: Saved<D>,
  coefficients: GradCoefficients,
  options?: Omit<BackwardOptions<D>, "accumulate" | "need"> & BackendOptions & AsyncOptions,
): Promise<InputGradients<D, SameForm<T, D>>>;
/**
 * Computes `gradInput` from the coefficients in code that is generic over the type of the arrays, while the event loop goes
 * on.
 *
 * @param gradOutput The gradient of the loss with respect to the output. It is as long as x.
 * @param saved The token of the forward. It serves one backward.
 * @param coefficients The result of `batchNormGradCoefficients`. It is copied.
 * @param options The options of `batchNormGradInput`, and a signal.
 * @returns A promise of `gradInput`, and of `gradResidual` if the forward had a residual.
 * @throws It rejects where the first overload does.
 */
export function batchNormGradInputAsync<A extends Data | Float16Values>(
  gradOutput: A,
  saved: Saved<DTypeOf<A>>,
  coefficients: GradCoefficients,
  options?: Omit<BackwardOptions<DTypeOf<A>>, "accumulate" | "need"> & BackendOptions & AsyncOptions,
): Promise<InputGradients<DTypeOf<A>>>;
export async function batchNormGradInputAsync(
  gradOutput: unknown,
  token: Saved,
  given: unknown,
  options?: unknown,
): Promise<unknown> {
  const allowed = [...GRAD_INPUT_OPTIONS, "signal"];
  const read = prepareGradInput(gradOutput, token, given, options, allowed, promiseOutput);
  const { resources, coefficients } = read;
  const { gradShift, gradSlope, gradScale } = coefficients;
  // The caller's tables may change or go away before the kernel begins.
  const copies = { gradShift: tableOf(gradShift), gradSlope: tableOf(gradSlope), gradScale: tableOf(gradScale) };
  return runWithToken(
    { ...read, coefficients: copies },
    {
      resources,
      signal: readSignal(read.options),
      make: makerFor(read.saved),
      compute: writeGradInput,
      result: gradInputResult,
    },
  );
}

/**
 * Differentiates through a backward as `batchNormDoubleBackward` does, while the event loop goes on. It does not use up the
 * token. Do not change the arrays of the call and of the token before the promise is settled; the given gradients with
 * respect to `gradWeight` and `gradBias` are copied at once. `batchNormTrainingAsync` says when the call works on another
 * thread.
 *
 * @param saved The token of the forward. A token that a backward has used is accepted.
 * @param gradOutput The gradient that the backward was given, unchanged. It is as long as x.
 * @param gradients The gradients of the loss with respect to the results of the backward.
 * @param options The options of `batchNormDoubleBackward`, and a signal.
 * @returns A promise of the gradients with respect to x, `weight` and gradOutput.
 * @throws It rejects with the errors of `batchNormDoubleBackward`, with the reason of the signal, and with
 * `ERR_BATCHNORM_DETACHED` if an array lost its memory meanwhile.
 */
export function batchNormDoubleBackwardAsync<D extends DType>(
  saved: Saved<D>,
  gradOutput: ArrayOf<D>,
  gradients: GradGradients<D>,
  options?: BackendOptions & AsyncOptions,
): Promise<DoubleGradients<D>>;
/**
 * Differentiates through a backward whose gradOutput is a tensor, while the event loop goes on.
 *
 * @param saved The token of the forward. A token that a backward has used is accepted.
 * @param gradOutput The gradient that the backward was given, unchanged, as a tensor of the shape of x.
 * @param gradients The gradients of the loss with respect to the results of the backward.
 * @param options The options of `batchNormDoubleBackward`, and a signal.
 * @returns A promise of the gradients with respect to x, `weight` and gradOutput. Those of the size of x are tensors.
 * @throws It rejects where the overload for an array does.
 */
export function batchNormDoubleBackwardAsync<D extends DType, T extends Tensor<D>>(
  saved: Saved<D>,
  gradOutput: T,
  gradients: GradGradients<D>,
  options?: BackendOptions & AsyncOptions,
): Promise<DoubleGradients<D, SameForm<T, D>>>;
/**
 * Differentiates through a backward in code that is generic over the type of the arrays, while the event loop goes on.
 *
 * @param saved The token of the forward. A token that a backward has used is accepted.
 * @param gradOutput The gradient that the backward was given, unchanged. It is as long as x.
 * @param gradients The gradients of the loss with respect to the results of the backward.
 * @param options The options of `batchNormDoubleBackward`, and a signal.
 * @returns A promise of the gradients with respect to x, γ and gradOutput.
 * @throws It rejects where the first overload does.
 */
export function batchNormDoubleBackwardAsync<A extends Data | Float16Values>(
  saved: Saved<DTypeOf<A>>,
  gradOutput: A,
  gradients: GradGradients<DTypeOf<A>, A>,
  options?: BackendOptions & AsyncOptions,
): Promise<DoubleGradients<DTypeOf<A>>>;
export async function batchNormDoubleBackwardAsync(
  token: Saved,
  gradOutput: unknown,
  gradients: unknown,
  options?: unknown,
): Promise<unknown> {
  const prepared = prepareDoubleBackward(token, gradOutput, gradients, options, OPTIONS);
  const { saved, resources } = prepared;
  return withRun(useOf(saved), resources, readSignal(prepared.options), async (run) => {
    const arrays = arraysFor(prepared, (dtype, size) => outputOf(run, dtype, size, true));
    const { dy, ddx, ddresidual, dx, ddy } = arrays;
    if (run) keepAll(run, [saved.x, saved.residualOrOutput, dy, ddx, ddresidual], [dx, ddy]);
    const ofWeight = await doubleBackward(workspacesOf(run, resources)(saved), saved, arrays);
    if (!run) return doubleBackwardResult(prepared, arrays, ofWeight);
    await run.session.finish();
    const taken = { dx: run.session.taken(dx), ddy: run.session.taken(ddy) };
    return doubleBackwardResult(prepared, taken, ofWeight);
  });
}
