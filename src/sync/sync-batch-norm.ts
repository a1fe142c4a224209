// A layer whose batch is spread over the ranks of a group: each call is a part of the layer's, and an exchange in between.
import { describe } from "../base/check.js";
import { rangeError, typeError } from "../base/errors.js";
import type { ArrayOf, DType } from "../base/types.js";
import type { Gradients } from "../arguments/backward.js";
import { BatchNorm, type LayerBackwardOptions, type LayerForwardOptions } from "../layer/batch-norm.js";
import type { Convention } from "../layer/convention.js";
import { backwardPart, forwardPart, type BackwardPart, type ForwardPart } from "../layer/part.js";
import type { SameForm, Sizes, Tensor } from "../values/plan.js";
import type { Saved } from "../values/saved.js";
import { callsOf, runAsync, runBlocking } from "./calls.js";
import type { Group } from "./group.js";
import { readSync, type CheckedSync, type SyncBatchNormOptions, type SyncOptions } from "./options.js";
import { decodeMoments, decodeSums, encodeMoments, encodeSums } from "./payload.js";
import { exchange, textOfCall, type Call, type Steps } from "./protocol.js";

/** The tokens of forwards that were exchanged, by what their copies share. */
const exchanged = new WeakSet<object>();

/** A call on this rank: it has ended, or it needs the payloads of all ranks. A payload may be the error that it failed with. */
type Begun = { readonly result: unknown } | Exchange;

interface Exchange {
  readonly call: Call;
  readonly payload: Float64Array | Error;
  readonly finish: (payloads: readonly Float64Array[]) => unknown;
}

/** The options of a layer that have been checked, and how the new layer is synchronized. */
class Converted {
  constructor(
    readonly sync: CheckedSync,
    readonly others: object,
  ) {}
}

function readOptionsOf(given: unknown): { readonly sync: CheckedSync; readonly others: object } {
  const isConverted = given instanceof Converted;
  const read = isConverted ? given : readSync(given);
  const { virtualBatchSize, cut } = read.others as Record<string, unknown>;
  if (isConverted ? cut === null : virtualBatchSize === undefined) return read;
  throw rangeError("ERR_BATCHNORM_OPTION", `"virtualBatchSize" and "group" exclude each other`);
}

/** The constructor of a layer reads the others after these. */
let newest: CheckedSync;

function othersOf(given: unknown): object {
  const { sync, others } = readOptionsOf(given);
  newest = sync;
  return others;
}

/**
 * A `BatchNorm` whose batch is spread over the ranks of a group, like torch.nn.SyncBatchNorm: worker threads, processes or the
 * ranks of MPI. Each rank calls it with its part of the batch, and normalizes with the mean and the variance of all parts. In
 * the backward, gradients go through these.
 *
 * - All ranks make layers with the same options, and call them in the same order. A part may have any number of samples, also
 *   none. Masks, weights, residuals and outputs are those of the part.
 * - The running statistics move alike on all ranks, to the bit.
 * - A forward in training exchanges, and so does its backward, unless `need` leaves out what depends on the other ranks.
 *   After `eval()` and in a frozen layer nothing is exchanged, but by a forward with `statistics: "batch"`, and by a backward
 *   with `parameterGrads: "global"`.
 * - If a rank fails, the others throw a `GroupError` (`ERR_BATCHNORM_GROUP`). Then no statistics have moved.
 *
 * @example
 * ```ts
 * const bn = new SyncBatchNorm(64, { group });
 * const y = bn.forward(x, [8, 64, 56, 56]); // 8 of the samples of the batch
 * const { gradInput, gradWeight, gradBias } = bn.backward(gradOutput);
 * ```
 */
export class SyncBatchNorm<D extends DType = "float32"> extends BatchNorm<D> {
  /**
   * The name of the class, which minifiers would change.
   *
   * @hidden
   */
  static override readonly name: string = "SyncBatchNorm";

  readonly #sync: CheckedSync;

  /**
   * Makes a layer in training mode. All ranks must make it with equal options.
   *
   * @param numFeatures The number of channels. With several channel axes, it is the product of their sizes.
   * @param options The options of a `BatchNorm`, and `group`, which is required.
   * @throws TypeError if an option is unknown (`ERR_BATCHNORM_OPTION`) or has the wrong kind (`ERR_BATCHNORM_TYPE`).
   * @throws RangeError if a value is wrong (`ERR_BATCHNORM_VALUE`) or options exclude each other
   * (`ERR_BATCHNORM_OPTION`), as `virtualBatchSize` and `group` do.
   */
  constructor(numFeatures: number, options: SyncBatchNormOptions<D>) {
    super(numFeatures, othersOf(options));
    this.#sync = newest;
  }

  /** The group of the layer. */
  get group(): Group {
    return this.itself().#sync.group;
  }

  /**
   * Normalizes the part of this rank with the statistics of all parts. It blocks until all ranks have come, so that it needs
   * a group that blocks: see `forwardAsync` for others. The other things it does are those of `BatchNorm.forward`.
   *
   * @param x The elements of the part in row-major order.
   * @param shape The size of each axis. The part may have no samples.
   * @param options The residual, mask, weights and output of this part.
   * @returns The output of the part.
   * @throws TypeError or RangeError if an argument is wrong, before anything is written. The other ranks are told.
   * @throws GroupError if another rank failed, did not come in time, or made another call (`ERR_BATCHNORM_GROUP`).
   */
  override forward(x: ArrayOf<D>, shape: Sizes, options?: LayerForwardOptions<D>): ArrayOf<D>;
  /**
   * Normalizes the part of this rank, given as a tensor, with the statistics of all parts.
   *
   * @param x The tensor, `{ data, shape }` or `{ data, dims }`.
   * @param options The residual, mask, weights and output of this part.
   * @returns The output of the part, as a tensor of the same form as x.
   * @throws TypeError or RangeError if an argument is wrong, before anything is written. The other ranks are told.
   * @throws GroupError if another rank failed, did not come in time, or made another call (`ERR_BATCHNORM_GROUP`).
   */
  override forward<T extends Tensor<D>>(x: T, options?: LayerForwardOptions<D>): SameForm<T, D>;
  override forward(...args: unknown[]): unknown {
    const self = this.itself();
    return self.#run(self.#beginForward(args));
  }

  /**
   * Does the same without blocking. The work of this rank that needs no other is done when the call returns, so that other
   * work can go on while the ranks exchange. Calls on one group are exchanged in the order in which they were made. x and the
   * arrays of the options must not change before the promise is settled.
   *
   * @param x The elements of the part in row-major order.
   * @param shape The size of each axis. The part may have no samples.
   * @param options The residual, mask, weights and output of this part.
   * @returns The output of the part. The promise is rejected with the errors of `forward`.
   */
  forwardAsync(x: ArrayOf<D>, shape: Sizes, options?: LayerForwardOptions<D>): Promise<ArrayOf<D>>;
  /**
   * Does the same with a tensor.
   *
   * @param x The tensor, `{ data, shape }` or `{ data, dims }`.
   * @param options The residual, mask, weights and output of this part.
   * @returns The output of the part, as a tensor of the same form as x. The promise is rejected with the errors of `forward`.
   */
  forwardAsync<T extends Tensor<D>>(x: T, options?: LayerForwardOptions<D>): Promise<SameForm<T, D>>;
  async forwardAsync(...args: unknown[]): Promise<unknown> {
    const self = this.itself();
    return self.#runAsync(self.#beginForward(args));
  }

  /**
   * Computes the gradients of a forward of this rank's part. Gradients of x go through the statistics of all parts, as if the
   * losses of all ranks were added. It blocks until all ranks have come.
   *
   * @param gradOutput The gradient of the loss with respect to the output of the part.
   * @param options The token, the gradients that are needed, and the arrays to write to.
   * @returns The gradients. Those of the parameters are of this part, or of the whole batch: see `parameterGrads`.
   * @throws TypeError or RangeError if an argument is wrong, before anything is written. The other ranks are told.
   * @throws GroupError if another rank failed, did not come in time, or made another call (`ERR_BATCHNORM_GROUP`).
   */
  override backward<Input extends boolean = true>(
    gradOutput: ArrayOf<D>,
    options?: LayerBackwardOptions<D, Input>,
  ): Gradients<D, ArrayOf<D>, Input>;
  /**
   * Computes the gradients of a forward of this rank's part from a tensor.
   *
   * @param gradOutput The gradient of the loss with respect to the output of the part, as a tensor of its shape.
   * @param options The token, the gradients that are needed, and the arrays to write to.
   * @returns The gradients. Those of the size of x are tensors.
   * @throws TypeError or RangeError if an argument is wrong, before anything is written. The other ranks are told.
   * @throws GroupError if another rank failed, did not come in time, or made another call (`ERR_BATCHNORM_GROUP`).
   */
  override backward<T extends Tensor<D>, Input extends boolean = true>(
    gradOutput: T,
    options?: LayerBackwardOptions<D, Input>,
  ): Gradients<D, SameForm<T, D>, Input>;
  override backward(gradOutput: unknown, options?: unknown): unknown {
    const self = this.itself();
    return self.#run(self.#beginBackward(gradOutput, options));
  }

  /**
   * Does the same without blocking. Pass the token of the forward as `saved` if other forwards may come before it ends.
   *
   * @param gradOutput The gradient of the loss with respect to the output of the part.
   * @param options The token, the gradients that are needed, and the arrays to write to.
   * @returns The gradients. The promise is rejected with the errors of `backward`.
   */
  backwardAsync<Input extends boolean = true>(
    gradOutput: ArrayOf<D>,
    options?: LayerBackwardOptions<D, Input>,
  ): Promise<Gradients<D, ArrayOf<D>, Input>>;
  /**
   * Does the same with a tensor.
   *
   * @param gradOutput The gradient of the loss with respect to the output of the part, as a tensor of its shape.
   * @param options The token, the gradients that are needed, and the arrays to write to.
   * @returns The gradients. Those of the size of x are tensors. The promise is rejected with the errors of `backward`.
   */
  backwardAsync<T extends Tensor<D>, Input extends boolean = true>(
    gradOutput: T,
    options?: LayerBackwardOptions<D, Input>,
  ): Promise<Gradients<D, SameForm<T, D>, Input>>;
  async backwardAsync(gradOutput: unknown, options?: unknown): Promise<unknown> {
    const self = this.itself();
    return self.#runAsync(self.#beginBackward(gradOutput, options));
  }

  /** Returns a layer on the same group, with the same options, copies of the state, and the same modes. */
  override clone(): SyncBatchNorm<D> {
    return synchronized(this, this.itself().#sync);
  }

  /**
   * Returns an equal layer on the same group with another convention. `BatchNorm.convert` says more.
   *
   * @param convention The convention of the new layer.
   * @param options `correction` says which running variance to go on with, if the two conventions differ.
   * @returns The layer, with copies of the state, in the same modes.
   * @throws RangeError if a setting has no equal there (`ERR_BATCHNORM_OPTION`).
   */
  override convert(convention: Convention, options?: { readonly correction?: 0 | 1 | undefined }): SyncBatchNorm<D> {
    return synchronized(super.convert(convention, options), this.itself().#sync);
  }

  /** Returns the size, the numeric options, the backend and the rank, such as `SyncBatchNorm(64, …, wasm, rank 1 of 4)`. */
  override toString(): string {
    const { rank, size } = this.group;
    return `Sync${super.toString().slice(0, -1)}, rank ${rank} of ${size})`;
  }

  #run(begun: Begun): unknown {
    if ("result" in begun) return begun.result;
    const { group, timeout } = this.#sync;
    try {
      return runBlocking(group, this.#steps(begun), { timeout, call: textOfCall(begun.call) });
    } catch (error) {
      throw ownErrorOf(begun, error);
    }
  }

  async #runAsync(begun: Begun): Promise<unknown> {
    if ("result" in begun) return begun.result;
    const { group, timeout } = this.#sync;
    try {
      return await runAsync(group, this.#steps(begun), { timeout, call: textOfCall(begun.call) });
    } catch (error) {
      throw ownErrorOf(begun, error);
    }
  }

  *#steps({ call, payload, finish }: Exchange): Steps<unknown> {
    return finish(yield* exchange(this.#sync.group.size, call, payload));
  }

  #callOf(kind: Call["kind"], agreement: string): Call {
    const { group, exact, parameterGrads, name } = this.#sync;
    const settings = `${exact} ${parameterGrads} ${agreement}`;
    return { kind, number: callsOf(group).next(), channels: this.numFeatures, name, agreement: settings };
  }

  /** This rank failed before the others could know. They are told, if they come. */
  #fail(kind: Call["kind"], error: unknown, isAwaited: boolean): Exchange {
    if (!isAwaited || !(error instanceof Error) || this.#sync.group.size === 1) throw error;
    return { call: this.#callOf(kind, ""), payload: error, finish: () => undefined };
  }

  #beginForward(args: readonly unknown[]): Begun {
    const { group, exact } = this.#sync;
    let part: ForwardPart;
    let payload: Float64Array;
    try {
      part = forwardPart(this as never, ...(args as [never]));
      if (!part.isShared || group.size === 1) return { result: part.finish(null) };
      payload = encodeMoments(part.groups(!exact));
    } catch (error) {
      const usesBatch = !this.frozen || this.runningMean === null;
      return this.#fail("forward", error, this.training && usesBatch);
    }
    const finish = (payloads: readonly Float64Array[]): unknown => {
      const before = this.saved;
      const output = part.finish(payloads.flatMap((one) => [...decodeMoments(one, this.numFeatures)]));
      if (this.saved && this.saved !== before) exchanged.add(this.saved.life);
      return output;
    };
    return { call: this.#callOf("forward", part.agreement), payload, finish };
  }

  #beginBackward(gradOutput: unknown, options: unknown): Begun {
    const { group, exact, parameterGrads } = this.#sync;
    const isGlobal = parameterGrads === "global";
    let part: BackwardPart;
    let own: ReturnType<BackwardPart["sums"]>;
    try {
      part = backwardPart(this as never, gradOutput as never, options as never);
      const needsAll = (part.isShared && part.needsInput) || (isGlobal && part.needsParameters && !part.isConditional);
      if (!part.isShared && (!needsAll || group.size === 1)) return { result: part.finish(null) };
      own = part.sums(!exact);
      if (!needsAll) return { result: part.finish(own, own) };
    } catch (error) {
      return this.#fail("backward", error, isGlobal || this.#isExchanged(options));
    }
    const { kinds } = part;
    const finish = (payloads: readonly Float64Array[]): unknown => {
      const all = payloads.flatMap((one) => [...decodeSums(one, this.numFeatures, kinds)]);
      return part.finish(all, isGlobal ? all : own);
    };
    return { call: this.#callOf("backward", String(kinds)), payload: encodeSums(own), finish };
  }

  /** Whether the other ranks wait for the backward of a token. */
  #isExchanged(options: unknown): boolean {
    const { saved = this.saved } = (options ?? {}) as { saved?: Saved | null };
    return typeof saved === "object" && saved !== null && !saved.fixedStatistics && exchanged.has(saved.life);
  }
}

/** The error that this rank failed with, also where the others could not be told. */
function ownErrorOf({ payload }: Exchange, error: unknown): unknown {
  return payload instanceof Error ? payload : error;
}

/** A layer with the options, the state and the modes of another. */
function synchronized<D extends DType>(layer: BatchNorm<D>, sync: CheckedSync): SyncBatchNorm<D> {
  const options = new Converted(sync, layer["options"]) as unknown as SyncBatchNormOptions<D>;
  const copy = new SyncBatchNorm<D>(layer.numFeatures, options);
  copy["takeOver"](layer);
  return copy;
}

/**
 * Makes a synchronized layer of a layer, like torch.nn.SyncBatchNorm.convert_sync_batchnorm. The new layer has the same
 * options, copies of the state, and the same modes. All ranks must convert layers with equal states.
 *
 * @param layer The layer, for example one that was loaded from a file.
 * @param group The ranks.
 * @param options How the layer is synchronized.
 * @returns The new layer. The old one is left as it is.
 * @throws TypeError or RangeError if an argument is wrong, or if the layer has virtual batches (`ERR_BATCHNORM_OPTION`).
 */
export function convertSyncBatchNorm<D extends DType>(
  layer: BatchNorm<D>,
  group: Group,
  options?: Omit<SyncOptions, "group">,
): SyncBatchNorm<D> {
  if (!(layer instanceof BatchNorm))
    throw typeError("ERR_BATCHNORM_TYPE", `"layer" expected a BatchNorm, got ${describe(layer)}`);
  const { sync, others } = readSync({ ...options, group });
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw typeError("ERR_BATCHNORM_OPTION", `unknown option "${unknown}"`);
  return synchronized(layer, sync);
}
