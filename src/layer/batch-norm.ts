// The layer: parameters, running statistics, modes. All arithmetic is in the engine below it.
import { selectBackend } from "../backends/backend.js";
import type { BackendName } from "../backends/candidates.js";
import { FORWARD, checkWeights, forwardArrays, readSave, type ForwardOptions } from "../arguments/forward.js";
import { readBackward, type BackwardOptions, type Gradients } from "../arguments/backward.js";
import { checkData, checkInteger, checkOptionalData, describe, readOptions } from "../base/check.js";
import { readConfig, type BatchNormOptions, type Config } from "../arguments/config.js";
import { computeMoments, forwardBatch, forwardFixed, momentsOf, savedOf, type Affine } from "../engine/forward.js";
import { backward, parameterGrads } from "../engine/backward.js";
import { rangeError, typeError } from "../base/errors.js";
import { LayerMemory } from "./memory.js";
import { updateRunning, updateRunningVariance, type ChannelMoments } from "../kernels/moments.js";
import { modeOf, type Mode } from "./mode.js";
import { asGiven, readCall, type SameForm, type Tensor } from "../values/plan.js";
import { markUsed, type Saved } from "../values/saved.js";
import { copyState, loadState, type StateDict } from "./state-dict.js";
import { allocate, floatTypeOf, type ArrayOf, type DType, type Floats, type ParametersOf } from "../base/types.js";

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
  /** Weight of the new batch in the running statistics; null: cumulative mean. */
  readonly momentum: number | null;
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
    this.momentum = config.momentum;
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
    const { x, shape, options } = readCall(args, FORWARD);
    const plan = this.#memory.planOf(shape);
    const data = checkData("x", x.data, this.dtype, plan.size);
    const kept = readSave(options, this.training);
    const arrays = forwardArrays(plan, data, options, this.#config.activation, kept, () =>
      this.#memory.buffer("output", plan.size),
    );
    const mode = modeOf(plan, arrays.weights, this.#config, { training: this.training, frozen: this.#frozen });
    const affine = this.#affine();
    checkWeights(kept, affine);
    const running = this.#running();
    const workspace = this.#memory.workspaceOf(plan, arrays.weights !== null);
    // In place, the output replaces x: its one value is read before.
    const single = mode.update === "mean" ? computeMoments(workspace, plan, data, arrays.weights) : null;
    if (mode.statistics === "batch") forwardBatch(workspace, plan, affine, arrays);
    else forwardFixed(workspace, plan, affine, arrays, running!.mean, running!.variance);
    this.#saved = kept && (savedOf(workspace, plan, affine, arrays, kept, mode.statistics === "running") as Saved<D>);
    if (mode.update !== "none") this.#update(running!, single ?? momentsOf(workspace.control), mode);
    return asGiven(x, arrays.y);
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
    const { saved, arrays, needed, result } = readBackward(
      gradOutput,
      token,
      options,
      (_, size) => this.#memory.buffer("gradInput", size),
      this.dtype,
    );
    if (saved.channels !== this.numFeatures) {
      throw rangeError("ERR_BATCHNORM_SHAPE", `"saved" expected ${this.numFeatures} channels, got ${saved.channels}`);
    }
    const workspace = this.#memory.workspaceOf(saved, saved.sampleWeights !== null);
    backward(workspace, saved, arrays, needed);
    markUsed(token, saved, arrays.dx);
    if (token === this.#saved) this.#saved = null;
    return result(parameterGrads(workspace.control, saved, needed));
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
    const { weight, bias, trackRunningStats, axis, dtype, activation, singleValue, reuse, backend, threads } =
      this.#config;
    const copy = new BatchNorm<D>(this.numFeatures, {
      eps: this.eps,
      momentum: this.momentum,
      weight,
      bias,
      trackRunningStats,
      ...(axis === "per-activation" ? { layout: axis } : { axis }),
      dtype: dtype as D,
      activation,
      singleValue,
      reuse,
      ...(backend && { backend }),
      ...(threads && { threads }),
    });
    copy.loadStateDict(this.stateDict());
    copy.training = this.training;
    copy.#frozen = this.#frozen;
    return copy;
  }

  #affine(): Affine {
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
