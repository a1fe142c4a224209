// The stateless functions whose kernels run while the event loop goes on. The results have the bits of the synchronous ones.
import { outputOf, promiseOutput, withOutput, withRun, type AsyncOptions, type AsyncRun } from "../arguments/async.js";
import { makerFor, runBackward } from "../arguments/backward-async.js";
import { readBackward, type BackwardOptions, type Gradients } from "../arguments/backward.js";
import type { Save, Saves } from "../arguments/forward.js";
import { RESOURCES, readResources } from "../arguments/resources.js";
import type { InferenceOptions, StatelessCall, TrainingOptions } from "../arguments/stateless.js";
import { readOptions } from "../base/options.js";
import { readSignal } from "../base/signal.js";
import type { ArrayOf, Data, DType, DTypeOf, Float16Values } from "../base/types.js";
import type { Forward } from "../engine/forward.js";
import { computeMoments, type Batch } from "../engine/statistics.js";
import type { Workspace } from "../engine/workspace.js";
import type { ChannelMoments } from "../kernels/moments.js";
import { forwardTogether, together } from "../policies/apart-axes.js";
import { asGiven, type SameForm, type Sizes, type Tensor } from "../values/plan.js";
import type { Saved } from "../values/saved.js";
import type { BackendOptions } from "./backward.js";
import type { ForwardResult, MomentsOptions, TrainingResult } from "./forward.js";
import {
  prepareInference,
  prepareMoments,
  prepareTraining,
  trainingResult,
  workspaceFor,
  type PreparedForward,
} from "./prepare.js";

const SIGNAL = ["signal"] as const;

/** What a call works on, and what runs it. */
function workspaceOn(run: AsyncRun | null, call: StatelessCall, batch: Pick<Batch, "weights">): Workspace {
  return run ? run.workspaceFor(call.plan, batch.weights !== null) : workspaceFor(call, batch);
}

/** Runs a forward whose output was promised. */
async function runForward(
  { call, arrays, source }: PreparedForward,
  result: (done: Forward, y: Data) => unknown,
): Promise<unknown> {
  const { dtype, size } = call.plan;
  const signal = readSignal(call.options);
  const use = { dtype, size, isWeighted: arrays.weights !== null };
  return withRun(use, call.resources, signal, async (run) => {
    const own = withOutput(arrays, run, false, (isPlain) => outputOf(run, dtype, size, isPlain));
    const done = await forwardTogether(workspaceOn(run, call, own), own, source);
    await run?.session.finish();
    return result(done, run ? run.session.taken(own.y) : own.y);
  });
}

/**
 * Normalizes a batch as `batchNormTraining` does, while the event loop goes on. Do not change the arrays of the call before
 * the promise is settled. Native and WebAssembly kernels run on another thread if x has 131072 elements or more. Otherwise
 * the call is made on the calling thread.
 *
 * @param x The elements in row-major order. In a SharedArrayBuffer they are not copied.
 * @param shape The size of each axis. The tensor may have any rank.
 * @param options The options of `batchNormTraining`, and a signal.
 * @returns A promise of the output, the token for the backward, and the moments of the batch.
 * @throws It rejects with the errors of `batchNormTraining`, with the reason of the signal, and with
 * `ERR_BATCHNORM_DETACHED` if an array lost its memory meanwhile.
 */
export function batchNormTrainingAsync<A extends Data | Float16Values, S extends Save = true>(
  x: A,
  shape: Sizes,
  options?: TrainingOptions<DTypeOf<A>> & Saves<S> & AsyncOptions,
): Promise<TrainingResult<DTypeOf<A>, ArrayOf<DTypeOf<A>>, S>>;
/**
 * Normalizes a batch, given as a tensor, as `batchNormTraining` does, while the event loop goes on.
 *
 * @param x The tensor, `{ data, shape }` or `{ data, dims }`. It may have any rank.
 * @param options The options of `batchNormTraining`, and a signal.
 * @returns A promise of the output as a tensor of the same form as x, the token for the backward, and the moments.
 * @throws It rejects where the overload for an array does.
 */
export function batchNormTrainingAsync<T extends Tensor<DType>, S extends Save = true>(
  x: T,
  options?: TrainingOptions<DTypeOf<T["data"]>> & Saves<S> & AsyncOptions,
): Promise<TrainingResult<DTypeOf<T["data"]>, SameForm<T, DTypeOf<T["data"]>>, S>>;
// Errors of the arguments reject the promise, too.
export async function batchNormTrainingAsync(...args: unknown[]): Promise<unknown> {
  const prepared = prepareTraining(args, SIGNAL, promiseOutput);
  return runForward(prepared, (done, y) => trainingResult(prepared, done, y));
}

/**
 * Normalizes x with a given mean and variance as `batchNormInference` does, while the event loop goes on.
 * `batchNormTrainingAsync` says when it works on another thread.
 *
 * @param x The elements in row-major order. In a SharedArrayBuffer they are not copied.
 * @param shape The size of each axis. The tensor may have any rank.
 * @param options The options of `batchNormInference`, and a signal.
 * @returns A promise of the output, and the token if `save` asks for it.
 * @throws It rejects with the errors of `batchNormInference`, with the reason of the signal, and with
 * `ERR_BATCHNORM_DETACHED` if an array lost its memory meanwhile.
 */
export function batchNormInferenceAsync<A extends Data | Float16Values, S extends Save = false>(
  x: A,
  shape: Sizes,
  options: InferenceOptions<DTypeOf<A>> & Saves<S> & AsyncOptions,
): Promise<ForwardResult<DTypeOf<A>, ArrayOf<DTypeOf<A>>, S>>;
/**
 * Normalizes a tensor with a given mean and variance as `batchNormInference` does, while the event loop goes on.
 *
 * @param x The tensor, `{ data, shape }` or `{ data, dims }`. It may have any rank.
 * @param options The options of `batchNormInference`, and a signal.
 * @returns A promise of the output as a tensor of the same form as x, and the token if `save` asks for it.
 * @throws It rejects where the overload for an array does.
 */
export function batchNormInferenceAsync<T extends Tensor<DType>, S extends Save = false>(
  x: T,
  options: InferenceOptions<DTypeOf<T["data"]>> & Saves<S> & AsyncOptions,
): Promise<ForwardResult<DTypeOf<T["data"]>, SameForm<T, DTypeOf<T["data"]>>, S>>;
export async function batchNormInferenceAsync(...args: unknown[]): Promise<unknown> {
  const prepared = prepareInference(args, SIGNAL, promiseOutput);
  return runForward(prepared, ({ saved }, y) => ({ output: asGiven(prepared.call.x, y), saved }));
}

/**
 * Computes the moments of every channel as `batchNormMoments` does, while the event loop goes on. `batchNormTrainingAsync`
 * says when it works on another thread.
 *
 * @param x The elements in row-major order. In a SharedArrayBuffer they are not copied.
 * @param shape The size of each axis. The tensor may have any rank.
 * @param options The options of `batchNormMoments`, and a signal.
 * @returns A promise of new arrays with one element per channel, the count, and Σw² as `sumSquaredWeights`.
 * @throws It rejects with the errors of `batchNormMoments`, with the reason of the signal, and with
 * `ERR_BATCHNORM_DETACHED` if x lost its memory meanwhile.
 */
export function batchNormMomentsAsync<A extends Data | Float16Values>(
  x: A,
  shape: Sizes,
  options?: MomentsOptions<DTypeOf<A>> & AsyncOptions,
): Promise<ChannelMoments>;
/**
 * Computes the moments of every channel of a tensor as `batchNormMoments` does, while the event loop goes on.
 *
 * @param x The tensor, `{ data, shape }` or `{ data, dims }`. It may have any rank.
 * @param options The options of `batchNormMoments`, and a signal.
 * @returns A promise of new arrays with one element per channel, the count, and Σw² as `sumSquaredWeights`.
 * @throws It rejects where the overload for an array does.
 */
export function batchNormMomentsAsync<T extends Tensor<DType>>(
  x: T,
  options?: MomentsOptions<DTypeOf<T["data"]>> & AsyncOptions,
): Promise<ChannelMoments>;
export async function batchNormMomentsAsync(...args: unknown[]): Promise<unknown> {
  const { call, batch } = prepareMoments(args, SIGNAL);
  const { plan, weights } = batch;
  const use = { dtype: plan.dtype, size: plan.size, isWeighted: weights !== null };
  return withRun(use, call.resources, readSignal(call.options), async (run) =>
    computeMoments(workspaceOn(run, call, batch), { ...batch, x: together(plan, batch.x) }),
  );
}

/**
 * Computes the gradients of a forward as `batchNormBackward` does, while the event loop goes on. The token is used up
 * unless the promise is rejected, and in any case if `out` is the saved x. Do not change the arrays of the call and of the
 * token before the promise is settled.
 *
 * @param gradOutput The gradient of the loss with respect to the output. It is as long as x.
 * @param saved The token of the forward. It serves one backward.
 * @param options The options of `batchNormBackward`, and a signal.
 * @returns A promise of the gradients with respect to x, `weight`, `bias` and the residual.
 * @throws It rejects with the errors of `batchNormBackward`, with the reason of the signal, and with
 * `ERR_BATCHNORM_DETACHED` if an array lost its memory meanwhile.
 */
export function batchNormBackwardAsync<D extends DType, Input extends boolean = true>(
  gradOutput: ArrayOf<D>,
  saved: Saved<D>,
  options?: BackwardOptions<D, Input> & BackendOptions & AsyncOptions,
): Promise<Gradients<D, ArrayOf<D>, Input>>;
/**
 * Computes the gradients of a forward from a gradient that is a tensor, while the event loop goes on.
 *
 * @param gradOutput The gradient of the loss with respect to the output, as a tensor of the shape of x.
 * @param saved The token of the forward. It serves one backward.
 * @param options The options of `batchNormBackward`, and a signal.
 * @returns A promise of the gradients with respect to x, `weight`, `bias` and the residual. Those of the size of x are
 * tensors.
 * @throws It rejects where the overload for an array does.
 */
export function batchNormBackwardAsync<D extends DType, T extends Tensor<D>, Input extends boolean = true>(
  gradOutput: T,
  saved: Saved<D>,
  options?: BackwardOptions<D, Input> & BackendOptions & AsyncOptions,
): Promise<Gradients<D, SameForm<T, D>, Input>>;
/**
 * Computes the gradients of a forward in code that is generic over the type of the arrays, while the event loop goes on.
 *
 * @param gradOutput The gradient of the loss with respect to the output. It is as long as x.
 * @param saved The token of the forward. It serves one backward.
 * @param options The options of `batchNormBackward`, and a signal.
 * @returns A promise of the gradients with respect to x, `weight`, `bias` and the residual.
 * @throws It rejects where the first overload does.
 */
export function batchNormBackwardAsync<A extends Data | Float16Values, Input extends boolean = true>(
  gradOutput: A,
  saved: Saved<DTypeOf<A>>,
  options?: BackwardOptions<DTypeOf<A>, Input> & BackendOptions & AsyncOptions,
): Promise<Gradients<DTypeOf<A>, ArrayOf<DTypeOf<A>>, Input>>;
export async function batchNormBackwardAsync(gradOutput: unknown, token: Saved, given?: unknown): Promise<unknown> {
  const options = readOptions(given, ["out", "residualOut", "accumulate", "need", ...RESOURCES, ...SIGNAL]);
  const signal = readSignal(options);
  const read = readBackward(gradOutput, token, options, promiseOutput, undefined, promiseOutput);
  const make = makerFor(read.saved);
  return runBackward(read, { resources: readResources(options), signal, make });
}
