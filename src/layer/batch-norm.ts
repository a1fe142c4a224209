// The layer: its parameters, running statistics and modes. All arithmetic is in the engine below it.
import { selectBackend } from "../backends/backend.js";
import type { BackendName } from "../backends/candidates.js";
import { FORWARD_OPTIONS, checkForward, readForward, type ForwardOptions } from "../arguments/forward.js";
import { readBackward, resultOf, type BackwardOptions, type Gradients } from "../arguments/backward.js";
import { fill } from "../base/arrays.js";
import { checkData, checkInRange, checkInteger, checkOptionalData, describe, readOptions } from "../base/check.js";
import { readConfig, type BatchNormOptions, type Config } from "./config.js";
import { forward, type Parameters } from "../engine/forward.js";
import { batchStatistics, computeMoments, runningStatistics } from "../engine/statistics.js";
import { backward } from "../engine/backward.js";
import { rangeError, typeError } from "../base/errors.js";
import { LayerMemory } from "./memory.js";
import { updateRunning, updateRunningVariance, type ChannelMoments } from "../kernels/moments.js";
import { modeOf, type Mode } from "./mode.js";
import { asGiven, type SameForm, type Tensor } from "../values/plan.js";
import { markUsed, type Saved } from "../values/saved.js";
import { copyState, loadState, type StateDict } from "./state-dict.js";
import {
  allocate,
  floatTypeOf,
  type ArrayOf,
  type Data,
  type DType,
  type Floats,
  type ParametersOf,
} from "../base/types.js";

/** The options of `BatchNorm.backward`. */
export interface LayerBackwardOptions<D extends DType, Input extends boolean = true> extends BackwardOptions<D, Input> {
  /** The token of the forward to differentiate. The default is the newest one, `layer.saved`. */
  saved?: Saved<D> | null;
}

/**
 * A batch normalization layer (Ioffe & Szegedy 2015), like torch.nn.BatchNorm1d, 2d and 3d. It normalizes each channel
 * over all other axes: y = γ·(x − μ)/√(σ² + ε) + β.
 *
 * In training, μ and σ² are the mean and the biased variance of the batch, and the running statistics are updated.
 * After `eval()`, μ and σ² are the running statistics. Without running statistics they are always those of the batch.
 *
 * @example
 * ```ts
 * const bn = new BatchNorm(64);
 * const y = bn.forward(x, [32, 64, 56, 56]); // training: with the statistics of the batch
 * const { gradInput, gradWeight, gradBias } = bn.backward(gradOutput);
 * bn.eval();
 * const prediction = bn.forward(x, [32, 64, 56, 56]); // inference: with the running statistics
 * ```
 */
export class BatchNorm<D extends DType = "float32"> {
  /** The number of channels. */
  readonly numFeatures: number;
  /** The element type of x. */
  readonly dtype: D;
  /** ε, which is added to the variance. It is set by the option `eps`. */
  readonly eps: number;
  /**
   * γ, the factor of each channel, or null with `weight: false` or `affine: false`. At first every element is 1. It is
   * the state itself: an optimizer may change the elements between two forwards. A backward uses the γ of its forward.
   */
  readonly weight: ParametersOf<D> | null;
  /**
   * β, the offset of each channel, or null with `bias: false` or `affine: false`. At first every element is 0. It is
   * the state itself: an optimizer may change the elements between two forwards. A backward uses the β of its forward.
   */
  readonly bias: ParametersOf<D> | null;
  /** The running mean of each channel, or null with `trackRunningStats: false`. At first every element is 0. */
  readonly runningMean: ParametersOf<D> | null;
  /**
   * The running variance of each channel, or null with `trackRunningStats: false`. At first every element is 1. Each
   * batch contributes its unbiased variance, as in torch: Σ(x − mean)²/(n − 1). Keras and ONNX use the biased one. With
   * weights, the batch contributes Σw·(x − mean)²/(W − Σw²/W) with W = Σw.
   */
  readonly runningVar: ParametersOf<D> | null;
  /** Whether the layer is in training mode. It is true at first. `train()` and `eval()` set it. */
  training = true;

  readonly #config: Config;
  #momentum: number | null;
  #numBatchesTracked = 0;
  /** Batches among them that had no variance, and moved the running mean alone. */
  #skipped = 0;
  #frozen = false;
  #saved: Saved<D> | null = null;
  readonly #memory: LayerMemory;

  /**
   * Makes a layer in training mode, with γ = 1, β = 0, running mean 0 and running variance 1.
   *
   * @param numFeatures The number of channels. With several channel axes, it is the product of their sizes.
   * @param options The options. All of them have defaults.
   * @throws TypeError if an option is unknown (`ERR_BATCHNORM_OPTION`) or has the wrong kind (`ERR_BATCHNORM_TYPE`).
   * @throws RangeError if a value is wrong (`ERR_BATCHNORM_VALUE`) or options exclude each other
   * (`ERR_BATCHNORM_OPTION`).
   */
  constructor(numFeatures: number, options?: BatchNormOptions<D>) {
    this.numFeatures = checkInteger("numFeatures", numFeatures, 1);
    const config = readConfig(options);
    this.#config = config;
    this.#memory = new LayerMemory(config, this.numFeatures);
    this.dtype = config.dtype as D;
    this.eps = config.eps;
    this.#momentum = config.momentum;
    const type = floatTypeOf(config.dtype);
    const table = (present: boolean): ParametersOf<D> | null =>
      present ? (allocate(type, this.numFeatures) as ParametersOf<D>) : null;
    this.weight = table(config.weight);
    this.bias = table(config.bias);
    this.runningMean = table(config.trackRunningStats);
    this.runningVar = table(config.trackRunningStats);
    this.resetRunningStats();
    this.resetParameters();
  }

  /** The token of the newest forward. It is null if that forward saved nothing, and after its backward. */
  get saved(): Saved<D> | null {
    return this.#saved;
  }

  /**
   * Whether the layer is frozen. A frozen layer normalizes with its running statistics and never updates them, even
   * after `train()`. Its backward treats them as constants. It is false at first. Use it for fine-tuning.
   */
  get frozen(): boolean {
    return this.#frozen;
  }

  /**
   * Freezes the layer, or ends that.
   *
   * @param value Whether the layer is to be frozen.
   * @throws RangeError if the layer has no running statistics (`ERR_BATCHNORM_VALUE`).
   */
  set frozen(value: boolean) {
    if (typeof value !== "boolean")
      throw typeError("ERR_BATCHNORM_TYPE", `"frozen" expected a boolean, got ${describe(value)}`);
    if (value && !this.runningMean)
      throw rangeError(
        "ERR_BATCHNORM_VALUE",
        `"frozen" needs running statistics, got a layer with trackRunningStats: false`,
      );
    this.#frozen = value;
  }

  /**
   * The weight of the new batch in the running statistics, or null for the mean over all batches so far. See the option
   * `momentum`. It may be changed at any time.
   */
  get momentum(): number | null {
    return this.#momentum;
  }

  /**
   * Changes the momentum from the next forward on.
   *
   * @param value A number from 0 to 1, or null. Momentum 1 replaces the running statistics by those of the batch.
   * @throws RangeError if the number is out of range (`ERR_BATCHNORM_VALUE`).
   */
  set momentum(value: number | null) {
    this.#momentum = value === null ? null : checkInRange("momentum", value, 0, 1);
  }

  /**
   * The name of the backend that this layer runs on.
   *
   * @throws BackendUnavailableError if the backend that was asked for cannot be used.
   */
  get backend(): BackendName {
    return selectBackend({ dtype: this.#config.dtype, isWeighted: false }, this.#config.backend).name;
  }

  /**
   * The number of threads that worked on the newest call. It is 1 for a small tensor, before the first call, and if
   * another worker was using the thread pool.
   */
  get threads(): number {
    return this.#memory.threadsUsed;
  }

  /**
   * Puts the layer in training mode: it normalizes with the statistics of the batch, unless it is frozen.
   *
   * @returns The layer.
   */
  train(): this {
    this.training = true;
    return this;
  }

  /**
   * Puts the layer in inference mode: it normalizes with the running statistics, if it keeps any.
   *
   * @returns The layer.
   */
  eval(): this {
    this.training = false;
    return this;
  }

  /**
   * The number of batches that have updated the running statistics. It stays 0 with `trackRunningStats: false`. Only
   * `momentum: null` uses it.
   */
  get numBatchesTracked(): number {
    return this.#numBatchesTracked;
  }

  /**
   * Sets the number of batches. All of them count for the running mean and for the running variance.
   *
   * @param value A non-negative integer.
   * @throws TypeError or RangeError if it is anything else (`ERR_BATCHNORM_TYPE`, `ERR_BATCHNORM_VALUE`).
   */
  set numBatchesTracked(value: number) {
    this.#numBatchesTracked = checkInteger("numBatchesTracked", value, 0);
    this.#skipped = 0;
  }

  /** Sets the running mean to 0, the running variance to 1 and `numBatchesTracked` to 0. */
  resetRunningStats(): void {
    if (this.runningMean) fill(this.runningMean, 0);
    if (this.runningVar) fill(this.runningVar, 1);
    this.numBatchesTracked = 0;
  }

  /** Sets every element of `weight` to 1 and every element of `bias` to 0. */
  resetParameters(): void {
    if (this.weight) fill(this.weight, 1);
    if (this.bias) fill(this.bias, 0);
  }

  /**
   * Normalizes x. In training it also updates the running statistics, and it saves the token `saved` for the backward.
   * A batch without elements gives an empty output and updates nothing.
   *
   * @param x The elements in row-major order.
   * @param shape The size of each axis. The tensor may have any rank. The channel axis must have `numFeatures`
   * channels.
   * @param options The residual, mask, weights and output of this forward.
   * @returns The output: a new array, or `out`, or the layer's own array with `reuse`.
   * @throws TypeError or RangeError if an argument is wrong, before anything is written. `ErrorCode` lists the codes.
   * @throws BackendUnavailableError if the backend that was asked for cannot be used.
   */
  forward(x: ArrayOf<D>, shape: readonly number[], options?: ForwardOptions<D>): ArrayOf<D>;
  /**
   * Normalizes a tensor. In training it also updates the running statistics, and it saves the token `saved` for the
   * backward. A batch without elements gives an empty output and updates nothing.
   *
   * @param x The tensor, `{ data, shape }` or `{ data, dims }`. It may have any rank.
   * @param options The residual, mask, weights and output of this forward.
   * @returns The output, as a tensor of the same form as x.
   * @throws TypeError or RangeError if an argument is wrong, before anything is written. `ErrorCode` lists the codes.
   * @throws BackendUnavailableError if the backend that was asked for cannot be used.
   */
  forward<T extends Tensor<D>>(x: T, options?: ForwardOptions<D>): SameForm<T, D>;
  forward(...args: unknown[]): unknown {
    const given = readForward(args, FORWARD_OPTIONS);
    const parameters = this.#parameters();
    const running = this.#running();
    const plan = this.#memory.planOf(given.shape);
    const { activation } = this.#config;
    const own = (): Data => this.#memory.buffer("output", plan.size);
    const arrays = checkForward(plan, given, { activation, parameters, saves: this.training, own });
    const mode = modeOf(plan, arrays.weights, this.#config, this);
    const workspace = this.#memory.workspaceOf(plan, arrays.weights !== null);
    // An output in place overwrites x, so the moments of a single value are computed before.
    const single = mode.update === "mean" ? computeMoments(workspace, arrays) : null;
    const source = mode.statistics === "batch" ? batchStatistics : runningStatistics(running!.mean, running!.variance);
    const { moments, saved } = forward(workspace, arrays, source);
    this.#memory.keep(workspace);
    this.#saved = saved as Saved<D> | null;
    if (mode.update !== "none") this.#update(running!, (single ?? moments)!, mode);
    return asGiven(given.x, arrays.y);
  }

  /**
   * Computes the gradients of the newest forward, or of the forward whose token is `options.saved`. A token serves one
   * backward. `batchNormBackward` has the formulas.
   *
   * @param gradOutput The gradient of the loss with respect to the output. It is as long as x.
   * @param options The token, the gradients that are needed, and the arrays to write to.
   * @returns The gradients with respect to x, `weight`, `bias` and the residual.
   * @throws TypeError or RangeError if there is no token or it cannot be used (`ERR_BATCHNORM_SAVED`).
   * @throws TypeError or RangeError if an argument is wrong, before anything is written. `ErrorCode` lists the codes.
   */
  backward<Input extends boolean = true>(
    gradOutput: ArrayOf<D>,
    options?: LayerBackwardOptions<D, Input>,
  ): Gradients<D, ArrayOf<D>, Input>;
  /**
   * Computes the gradients of the newest forward, or of the forward whose token is `options.saved`. A token serves one
   * backward. `batchNormBackward` has the formulas.
   *
   * @param gradOutput The gradient of the loss with respect to the output, as a tensor of the shape of x.
   * @param options The token, the gradients that are needed, and the arrays to write to.
   * @returns The gradients with respect to x, `weight`, `bias` and the residual. Those of the size of x are tensors.
   * @throws TypeError or RangeError if there is no token or it cannot be used (`ERR_BATCHNORM_SAVED`).
   * @throws TypeError or RangeError if an argument is wrong, before anything is written. `ErrorCode` lists the codes.
   */
  backward<T extends Tensor<D>, Input extends boolean = true>(
    gradOutput: T,
    options?: LayerBackwardOptions<D, Input>,
  ): Gradients<D, SameForm<T, D>, Input>;
  backward(gradOutput: unknown, given?: unknown): unknown {
    const options = readOptions(given, ["out", "residualOut", "saved", "accumulate", "need"]);
    const token = ("saved" in options ? options.saved : this.#saved) as Saved;
    const own = (_: DType, size: number): Data => this.#memory.buffer("gradInput", size);
    const expected = { dtype: this.dtype, channels: this.numFeatures };
    const call = readBackward(gradOutput, token, options, own, expected);
    const { saved, arrays, needed } = call;
    const workspace = this.#memory.workspaceOf(saved, saved.sampleWeights !== null);
    const grads = backward(workspace, saved, arrays, needed);
    this.#memory.keep(workspace);
    markUsed(token, saved, arrays.dx);
    if (token === this.#saved) this.#saved = null;
    return resultOf(call, grads);
  }

  /** Returns copies of the parameters and the running statistics, under the names that torch gives them. */
  stateDict(): StateDict<D> {
    return copyState(this);
  }

  /**
   * Copies a state into the layer. The state must have exactly the entries of the layer, but `contract_version` may be
   * absent. If the call throws, the layer is unchanged.
   *
   * @param state The state, for example one that `stateDict()` returned.
   * @throws RangeError if an entry is missing or unexpected (`ERR_BATCHNORM_STATE`) or too long or short
   * (`ERR_BATCHNORM_SHAPE`).
   * @throws TypeError if an entry has the wrong kind (`ERR_BATCHNORM_TYPE`).
   */
  loadStateDict(state: StateDict<D>): void {
    loadState(this, state);
  }

  /** Returns a layer with the same options, copies of the state, and the same modes. It has no saved forward. */
  clone(): BatchNorm<D> {
    const copy = new BatchNorm<D>(this.numFeatures, this.#config as BatchNormOptions<D>);
    copy.loadStateDict(this.stateDict());
    copy.#momentum = this.#momentum;
    copy.#skipped = this.#skipped;
    copy.training = this.training;
    copy.#frozen = this.#frozen;
    return copy;
  }

  #parameters(): Parameters {
    return {
      weight: checkOptionalData("weight", this.weight, floatTypeOf(this.dtype), this.numFeatures),
      bias: checkOptionalData("bias", this.bias, floatTypeOf(this.dtype), this.numFeatures),
      eps: this.eps,
    };
  }

  /** The running statistics. It throws if the buffer of one was transferred to another thread. */
  #running(): { mean: Floats; variance: Floats } | null {
    if (!this.runningMean) return null;
    return {
      mean: checkData("runningMean", this.runningMean, floatTypeOf(this.dtype), this.numFeatures),
      variance: checkData("runningVar", this.runningVar, floatTypeOf(this.dtype), this.numFeatures),
    };
  }

  #update(running: { mean: Floats; variance: Floats }, moments: ChannelMoments, { update }: Mode): void {
    const batches = ++this.#numBatchesTracked;
    updateRunning(running.mean, moments.mean, this.#momentum ?? 1 / batches);
    if (update === "mean") this.#skipped++;
    else updateRunningVariance(running.variance, moments, this.#momentum ?? 1 / (batches - this.#skipped));
  }
}
