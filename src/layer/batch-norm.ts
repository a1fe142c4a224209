// The calls of a layer: forward and backward. What it keeps between them is in layer-state.ts, and all arithmetic is in
// the engine below.
import { selectBackend } from "../backends/backend.js";
import type { BackendName } from "../backends/candidates.js";
import { CONDITIONAL, readConditional, type ConditionalOptions } from "../arguments/conditional.js";
import { FORWARD_OPTIONS, checkForward, readForward, type ForwardOptions } from "../arguments/forward.js";
import {
  gradientsOf,
  readBackward,
  resultOf,
  type BackwardCall,
  type BackwardOptions,
  type Gradients,
} from "../arguments/backward.js";
import { checkInteger } from "../base/check.js";
import { readOptions } from "../base/options.js";
import { collectorOf } from "./collectors.js";
import { convertConfig, readConfig, type Config } from "./config.js";
import type { BatchNormOptions } from "./options.js";
import type { Convention } from "./convention.js";
import { DeferredUpdates, checkDeferrable, copyOf } from "./deferred.js";
import type { ParameterGrads } from "../engine/backward.js";
import type { ForwardArrays } from "../engine/forward.js";
import { modeOfGiven, readGiven, tablesOfGiven } from "./given-moments.js";
import { LayerState } from "./layer-state.js";
import { INSPECT, inspected, textOf } from "./layer-text.js";
import { LayerMemory } from "./memory.js";
import { MODE_OPTIONS, modeOf, readAsked, type Asked, type Mode, type ModeOptions } from "./mode.js";
import type { Moved, RunningTables } from "./running.js";
import { parametersOf, runningOf, tablesOf } from "./tables.js";
import { normalizeCut } from "./virtual-forward.js";
import { normalize, updateOf } from "./normalize.js";
import { putOutput, togetherArrays } from "../policies/apart-axes.js";
import { limitsOf, type RenormLimits, type RenormMetrics } from "../policies/renorm.js";
import type { ChannelMoments, WholeMoments } from "../kernels/moments.js";
import { sharesMemory, type Tables } from "../values/aliases.js";
import { checkSlopes } from "../values/read-activation.js";
import { asGiven, type Operand, type SameForm, type Sizes, type Tensor } from "../values/plan.js";
import { markUsed, type Saved } from "../values/saved.js";
import { type ArrayOf, type Data, type DType } from "../base/types.js";

/** The options of `BatchNorm.forward`. */
export type LayerForwardOptions<D extends DType> = ForwardOptions<D> &
  ModeOptions &
  ConditionalOptions<D> & {
    /**
     * Moments to normalize with in the place of the batch's own, and to move the running statistics by: those of all
     * parts of a batch, as `mergeMoments` makes them. `batchNormGradSums` says how the backward goes on.
     */
    moments?: ChannelMoments | undefined;
  };

const LAYER_FORWARD_OPTIONS = [...FORWARD_OPTIONS, ...MODE_OPTIONS, "moments", ...CONDITIONAL];

/** The options of `BatchNorm.backward`. */
export interface LayerBackwardOptions<D extends DType, Input extends boolean = true> extends BackwardOptions<D, Input> {
  /** The token of the forward to differentiate. The default is the newest one, `layer.saved`. */
  saved?: Saved<D> | null | undefined;
}

/** A forward that has been checked, before its statistics are known. */
export interface BegunForward {
  readonly x: Operand;
  readonly asked: Asked;
  /** Moments that the caller gave. */
  readonly moments: WholeMoments | null;
  /** The weight of the batch in the running statistics; null: that of a mean over all batches. */
  readonly weight: number | null;
  readonly limits: RenormLimits | null;
  readonly running: RunningTables | null;
  readonly arrays: ForwardArrays;
}

/** A backward that has been checked, and the token as the caller gave it. */
export interface BegunBackward {
  readonly token: Saved;
  readonly call: BackwardCall;
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
export class BatchNorm<D extends DType = "float32"> extends LayerState<D> {
  /**
   * The name of the class, which minifiers would change.
   *
   * @hidden
   */
  static override readonly name: string = "BatchNorm";

  readonly #config: Config;
  readonly #memory: LayerMemory;
  readonly #deferred = new DeferredUpdates();
  #saved: Saved<D> | null = null;
  #lastRenorm: RenormMetrics | null = null;

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
    const channels = checkInteger("numFeatures", numFeatures, 1);
    const config = readConfig(options);
    checkSlopes("activation.slope", config.activation, channels, config.dtype);
    super(channels, config);
    this.#config = config;
    this.#memory = new LayerMemory(config, channels);
    // Not a method of the class: bundlers keep a class with a computed name even if nothing uses it.
    Object.defineProperty(this, INSPECT, { __proto__: null, value: inspected } as PropertyDescriptor);
  }

  /**
   * The token of the newest forward that saved one, which the next backward uses. It is null after that backward, and
   * after a forward in training that saved nothing. A forward in inference that saves nothing leaves it as it is, unless
   * its output takes the place of an array that the token needs.
   */
  get saved(): Saved<D> | null {
    return this.itself().#saved;
  }

  /** The options, checked and with all defaults. The constructor takes them too. */
  protected get options(): BatchNormOptions<D> {
    return this.itself().#config as object;
  }

  /** Puts a token in the place of the newest one. */
  protected replaceSaved(saved: Saved<D> | null): void {
    this.itself().#saved = saved;
  }

  /**
   * The name of the backend that this layer runs on.
   *
   * @throws BackendUnavailableError if the backend that was asked for cannot be used.
   */
  get backend(): BackendName {
    const { dtype, backend } = this.itself().#config;
    return selectBackend({ dtype, isWeighted: false }, backend).name;
  }

  /** What the newest batch renormalization did, or null before the first one. See the option `renorm`. */
  get lastRenorm(): RenormMetrics | null {
    return this.itself().#lastRenorm;
  }

  /**
   * The number of threads that worked on the newest call. It is 1 for a small tensor, before the first call, and if
   * another worker was using the thread pool.
   */
  get threads(): number {
    return this.itself().#memory.threadsUsed;
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
  forward(x: ArrayOf<D>, shape: Sizes, options?: LayerForwardOptions<D>): ArrayOf<D>;
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
  forward<T extends Tensor<D>>(x: T, options?: LayerForwardOptions<D>): SameForm<T, D>;
  forward(...args: unknown[]): unknown {
    const begun = this.beginForward(args);
    return this.finishForward(begun, begun.moments);
  }

  /** Reads and checks a forward. Nothing is written. */
  protected beginForward(args: readonly unknown[]): BegunForward {
    const self = this.itself();
    const given = readForward(args, LAYER_FORWARD_OPTIONS, self.#memory.shape);
    // Before the arrays are checked: a proxy, or a function among the options, may run code here.
    const asked = readAsked(this, given.options);
    const moments = readGiven(given.options, self.numFeatures);
    const { training, update } = asked;
    const weight = (update ?? (training && !asked.frozen)) === true ? self.running.weightOfNext() : null;
    const { renorm, activation } = self.#config;
    const limits = renorm && training ? limitsOf(renorm, self.running.next) : null;
    const parameters = parametersOf(this);
    const running = runningOf(this, self.#config);
    const plan = self.#memory.planOf(given.shape);
    const own = (): Data => self.#memory.buffer("output", plan.size);
    const tables = (): Tables => tablesOf(parameters, running, moments && tablesOfGiven(moments));
    const conditional = readConditional(plan, given.options);
    const arrays = checkForward(plan, given, { activation, parameters, conditional, saves: training, tables, own });
    if (update === "later") checkDeferrable(arrays.kept !== null);
    return { x: given.x, asked, moments, weight, limits, running, arrays };
  }

  /** Makes the output. `moments` stand for the batch's own; null: those are made here. */
  protected finishForward(begun: BegunForward, moments: WholeMoments | null): unknown {
    const self = this.itself();
    const { asked, arrays, running, limits, weight } = begun;
    const { plan } = arrays;
    const mode = moments
      ? modeOfGiven(moments, arrays, self.#config, asked)
      : modeOf(plan, arrays.weights, self.#config, asked);
    const together = plan.apartAxes ? togetherArrays(arrays) : arrays;
    const { saved, moved } = self.#normalize(together, mode, asked, running, limits, weight, moments);
    if (together !== arrays) putOutput(together, arrays);
    self.#memory.noteThreads();
    if (saved || asked.training || refersTo(self.#saved, arrays.y)) self.#saved = saved as Saved<D> | null;
    if (asked.update === "later") self.#deferred.add(saved!, moved);
    else if (moved.length > 0) self.#move(running!, moved, weight);
    return asGiven(begun.x, arrays.y);
  }

  /** Normalizes x into y, whole or cut. Returns what moves the running statistics and has not done so yet. */
  #normalize(
    arrays: ForwardArrays,
    mode: Mode,
    asked: Asked,
    running: RunningTables | null,
    limits: RenormLimits | null,
    weight: number | null,
    given: WholeMoments | null,
  ): { saved: Saved | null; moved: readonly Moved[] } {
    const { cut, onNonFinite } = this.#config;
    const { plan, weights } = arrays;
    const isLate = asked.update === "later";
    if (cut && asked.training && mode.statistics === "batch" && plan.size > 0) {
      const moved: Moved[] = [];
      const { saved, renormed } = normalizeCut({
        arrays,
        cut,
        config: this.#config,
        running,
        limits,
        modeOf: (part, of) => modeOf(part, of, this.#config, asked),
        workspaceOf: (extent, isWeighted) => this.#memory.keptFor(extent, isWeighted),
        move: (one) => {
          if (isLate || cut.order === "interleaved") moved.push(copyOf(one));
          else this.#move(running!, [one], weight);
        },
      });
      this.#lastRenorm = renormed ?? this.#lastRenorm;
      return { saved, moved };
    }
    const workspace = this.#memory.keptFor(plan, weights !== null);
    const { saved, moments, renormed } = normalize(workspace, arrays, mode, running, limits, onNonFinite, given);
    if (renormed) this.#lastRenorm = renormed;
    const update = updateOf(moments, mode, onNonFinite);
    if (update === "none") return { saved, moved: [] };
    const one = { moments: moments!, update };
    return { saved, moved: [isLate ? copyOf(one) : one] };
  }

  /** Moves the running statistics by a batch, or by its virtual batches. */
  #move(running: RunningTables, moved: readonly Moved[], weight: number | null): void {
    const collector = collectorOf(running.mean);
    if (collector) for (const one of moved) collector(copyOf(one).moments);
    else if (this.#config.cut?.order === "interleaved") this.running.moveByMean(running, moved, weight);
    else for (const one of moved) this.running.move(running, one, weight);
  }

  /**
   * Moves the running statistics by the batch of a forward that was made with `updateRunningStats: "later"`. A forward
   * that is not committed moves nothing. The order of commits is the order of the updates.
   *
   * @param saved The token of the forward. It serves one commit, before or after its backward.
   * @throws RangeError if no update of this token waits (`ERR_BATCHNORM_SAVED`).
   */
  commit(saved: Saved<D>): void {
    const self = this.itself();
    const weight = self.running.weightOfNext();
    const running = runningOf(this, self.#config);
    const moved = self.#deferred.take(saved);
    if (moved.length > 0) self.#move(running!, moved, weight);
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
    const self = this.itself();
    const begun = this.beginBackward(gradOutput, given, false);
    const grads = gradientsOf(begun.call, (part) => self.#memory.keptFor(part, part.sampleWeights !== null));
    return this.finishBackward(begun, grads);
  }

  /** Reads and checks a backward. Nothing is written. `ofPart`: the token may be that of a part of a batch. */
  protected beginBackward(gradOutput: unknown, given: unknown, ofPart: boolean): BegunBackward {
    const self = this.itself();
    const options = readOptions(given, ["out", "residualOut", "saved", "accumulate", "need"]);
    const token = ("saved" in options ? options.saved : self.#saved) as Saved;
    const own = (_: DType, size: number): Data => self.#memory.buffer("gradInput", size);
    const expected = { dtype: this.dtype, channels: this.numFeatures, again: false, ofPart };
    return { token, call: readBackward(gradOutput, token, options, own, expected) };
  }

  /** Ends a backward whose gradients have been made. */
  protected finishBackward({ token, call }: BegunBackward, grads: ParameterGrads): unknown {
    const self = this.itself();
    self.#memory.noteThreads();
    markUsed(call.saved, call.arrays.dx);
    if (token === self.#saved) self.#saved = null;
    return resultOf(call, grads);
  }

  /**
   * Returns a layer with the same options, copies of the state, and the same modes. It has no saved forward. The clone of
   * an instance of a subclass is a plain `BatchNorm`: the constructor of the subclass may take anything.
   */
  clone(): BatchNorm<D> {
    const copy = layerOf<D>(this.numFeatures, this.itself().#config);
    copy.takeOver(this);
    return copy;
  }

  /**
   * Returns an equal layer with another convention: the same results, and `momentum` in the words of that framework.
   *
   * @param convention The convention of the new layer.
   * @param options `correction` says which running variance to go on with, if the two conventions differ.
   * @returns The layer, with copies of the state, in the same modes.
   * @throws RangeError if a setting has no equal there (`ERR_BATCHNORM_OPTION`): a mean over all batches, a treatment of
   * single values, or the `correction` of the running variance unless the options name it.
   */
  convert(convention: Convention, options?: { readonly correction?: 0 | 1 | undefined }): BatchNorm<D> {
    const { momentum, config } = convertConfig(this.itself().#config, this.momentum, convention, options);
    const copy = layerOf<D>(this.numFeatures, config);
    copy.takeOver(this);
    copy.momentum = momentum;
    return copy;
  }

  /** Returns the size, the numeric options and the backend, such as `BatchNorm(64, eps=1e-05, momentum=0.1, wasm)`. */
  override toString(): string {
    return textOf(this, this.itself().#config);
  }
}

/** Whether a token needs an array. Once a forward has written to it, the token would give wrong gradients. */
function refersTo(token: Saved | null, array: Data): boolean {
  if (token === null) return false;
  const { x, residualOrOutput } = token;
  return sharesMemory(x, array) || (residualOrOutput !== null && sharesMemory(residualOrOutput, array));
}

/** Outside the class: a bundler gives a class that names itself another name. */
function layerOf<D extends DType>(numFeatures: number, config: Config): BatchNorm<D> {
  return new BatchNorm<D>(numFeatures, config as object);
}
