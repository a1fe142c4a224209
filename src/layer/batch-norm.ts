// The layer: parameters, running statistics, modes. All arithmetic is in the engine below it.
import { selectBackend } from "../backends/backend.js";
import type { BackendName } from "../backends/candidates.js";
import { FORWARD_OPTIONS, checkForward, readForward, type ForwardOptions } from "../arguments/forward.js";
import { readBackward, resultOf, type BackwardOptions, type Gradients } from "../arguments/backward.js";
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

/** Options of `BatchNorm.backward`. */
export interface LayerBackwardOptions<D extends DType, Input extends boolean = true> extends BackwardOptions<D, Input> {
  /** The forward to go back through; default: the newest. */
  saved?: Saved<D> | null;
}

/**
 * Batch normalization over every axis but the channels', as torch.nn.BatchNorm1d/2d/3d (Ioffe &
 * Szegedy 2015). In training, and in eval without running statistics, a batch is normalized with its
 * own mean and biased variance; else with the running ones.
 */
export class BatchNorm<D extends DType = "float32"> {
  readonly numFeatures: number;
  readonly dtype: D;
  readonly eps: number;
  /** γ and β, `numFeatures` elements, yours to change between a forward and the next. */
  readonly weight: ParametersOf<D> | null;
  readonly bias: ParametersOf<D> | null;
  /** Running mean and unbiased running variance; null without `trackRunningStats`. */
  readonly runningMean: ParametersOf<D> | null;
  readonly runningVar: ParametersOf<D> | null;
  numBatchesTracked = 0;
  /** Set by `train()` and `eval()`. */
  training = true;

  readonly #config: Config;
  #momentum: number | null;
  #frozen = false;
  #saved: Saved<D> | null = null;
  readonly #memory: LayerMemory;

  /**
   * @param numFeatures number of channels C; of several channel axes the product of their sizes.
   * @throws TypeError for an option of the wrong kind or an unknown one, RangeError for a wrong value.
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

  /** The newest forward's token; null where it saved nothing, and after its backward. */
  get saved(): Saved<D> | null {
    return this.#saved;
  }

  /** A frozen layer normalizes with its running statistics, whatever `train()` says, and never moves them. */
  get frozen(): boolean {
    return this.#frozen;
  }

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

  /** Weight of the new batch in the running statistics, in [0, 1]; null: the cumulative mean of all batches. */
  get momentum(): number | null {
    return this.#momentum;
  }

  set momentum(value: number | null) {
    this.#momentum = value === null ? null : checkInRange("momentum", value, 0, 1);
  }

  /** The backend this layer runs on. @throws BackendUnavailableError where a named one cannot be used. */
  get backend(): BackendName {
    return selectBackend({ dtype: this.#config.dtype, isWeighted: false }, this.#config.backend).name;
  }

  /** Threads that worked on the newest call: 1 for a small tensor, and where the pool was busy; 1 before any. */
  get threads(): number {
    return this.#memory.threadsUsed;
  }

  /** Batch statistics from now on, unless frozen. */
  train(): this {
    this.training = true;
    return this;
  }

  /** Running statistics from now on, where there are any. */
  eval(): this {
    this.training = false;
    return this;
  }

  /** Running mean 0, variance 1, no batches. */
  resetRunningStats(): void {
    this.runningMean?.fill(0);
    this.runningVar?.fill(1);
    this.numBatchesTracked = 0;
  }

  /** γ = 1, β = 0. */
  resetParameters(): void {
    this.weight?.fill(1);
    this.bias?.fill(0);
  }

  /**
   * Normalizes x, of any rank, channels at the layer's axis. A batch without elements gives an empty
   * output and updates nothing.
   *
   * @returns a fresh array, or `out`, or the layer's own with `reuse`; a tensor where x was one.
   * @throws TypeError or RangeError before anything is written; BackendUnavailableError.
   */
  forward(x: ArrayOf<D>, shape: readonly number[], options?: ForwardOptions<D>): ArrayOf<D>;
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
    // In place, the output replaces x: the moments of a single value are taken before.
    const single = mode.update === "mean" ? computeMoments(workspace, arrays) : null;
    const source = mode.statistics === "batch" ? batchStatistics : runningStatistics(running!.mean, running!.variance);
    const { moments, saved } = forward(workspace, arrays, source);
    this.#saved = saved as Saved<D> | null;
    if (mode.update !== "none") this.#update(running!, (single ?? moments)!, mode);
    return asGiven(given.x, arrays.y);
  }

  /**
   * Gradients of the newest forward, or of `options.saved`. A token serves one backward.
   *
   * @param gradOutput gradient of the output, in the shape of x.
   */
  backward<Input extends boolean = true>(
    gradOutput: ArrayOf<D>,
    options?: LayerBackwardOptions<D, Input>,
  ): Gradients<D, ArrayOf<D>, Input>;
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
    const grads = backward(this.#memory.workspaceOf(saved, saved.sampleWeights !== null), saved, arrays, needed);
    markUsed(token, saved, arrays.dx);
    if (token === this.#saved) this.#saved = null;
    return resultOf(call, grads);
  }

  /** Copies of parameters and running statistics, under torch's names. */
  stateDict(): StateDict<D> {
    return copyState(this);
  }

  /**
   * Takes over a state dict with exactly this layer's entries.
   * @throws RangeError for a missing, unexpected or mis-sized entry, TypeError for one of another kind; nothing is taken over then.
   */
  loadStateDict(state: StateDict<D>): void {
    loadState(this, state);
  }

  /** A layer with the same options, state and modes, and no saved forward. */
  clone(): BatchNorm<D> {
    const copy = new BatchNorm<D>(this.numFeatures, this.#config as BatchNormOptions<D>);
    copy.loadStateDict(this.stateDict());
    copy.#momentum = this.#momentum;
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

  /** The running statistics, as long as nobody has transferred their memory away. */
  #running(): { mean: Floats; variance: Floats } | null {
    if (!this.runningMean) return null;
    return {
      mean: checkData("runningMean", this.runningMean, floatTypeOf(this.dtype), this.numFeatures),
      variance: checkData("runningVar", this.runningVar, floatTypeOf(this.dtype), this.numFeatures),
    };
  }

  #update(running: { mean: Floats; variance: Floats }, moments: ChannelMoments, { update }: Mode): void {
    this.numBatchesTracked += 1;
    const momentum = this.momentum ?? 1 / this.numBatchesTracked;
    updateRunning(running.mean, moments.mean, momentum);
    if (update === "all") updateRunningVariance(running.variance, moments, momentum);
  }
}
