// What a layer is between two calls: its parameters, its running statistics and its modes. The calls themselves are in
// batch-norm.ts.
import { fill } from "../base/arrays.js";
import { checkAttached, checkBoolean, checkInRange, checkInteger } from "../base/check.js";
import { rangeError } from "../base/errors.js";
import { allocate, floatTypeOf, type DType, type ParametersOf } from "../base/types.js";
import type { Config } from "./config.js";
import { CONVENTIONS, type Convention } from "./convention.js";
import { Running, checkMomentum, type Momentum } from "./running.js";
import {
  copyState,
  copyTables,
  loadState,
  type LoadStateDictOptions,
  type StateDict,
  type StateDictOptions,
  type StateSource,
} from "./state-dict.js";
import type { IncompatibleKeys } from "./state-keys.js";

/** The options of layers, by what a proxy of a layer has too. */
const configs = new WeakMap<object, Config>();

/** The options of a layer, which may be a proxy. */
export function configOf(layer: LayerState<DType>): Config {
  return configs.get(layer["itself"])!;
}

/** The state of a layer, how it is changed, and how it is copied. */
export abstract class LayerState<D extends DType> {
  /** The number of channels. */
  readonly numFeatures: number;
  /** The element type of x. */
  readonly dtype: D;
  /** The framework whose meaning of `momentum` the layer has. */
  readonly convention: Convention;
  /** What is taken off the count where the running variance is updated: 1 or 0. */
  readonly correction: 0 | 1;
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
  #eps: number;
  #training = true;
  #frozen = false;
  readonly #running: Running;

  /**
   * The layer itself where `this` is a proxy of it, as Vue's `reactive` makes one. Private fields are out of a proxy's
   * reach, so methods take them from here. structuredClone refuses functions, and therefore it refuses a layer: its
   * copy would be an object without methods.
   */
  protected readonly itself = (): this => this;

  constructor(numFeatures: number, config: Config) {
    configs.set(this.itself, config);
    this.numFeatures = numFeatures;
    this.dtype = config.dtype as D;
    this.convention = config.convention;
    this.correction = config.correction;
    this.#eps = config.eps;
    this.#running = new Running(config.momentum, CONVENTIONS[config.convention].weighsOld, config.correction);
    const type = floatTypeOf(config.dtype);
    const table = (present: boolean): ParametersOf<D> | null =>
      present ? (allocate(type, numFeatures) as ParametersOf<D>) : null;
    this.weight = table(config.weight);
    this.bias = table(config.bias);
    this.runningMean = table(config.trackRunningStats);
    this.runningVar = table(config.trackRunningStats);
    this.resetRunningStats();
    this.resetParameters();
  }

  /** ε, which is added to the variance. The option `eps` sets it, and it may be changed at any time. */
  get eps(): number {
    return this.itself().#eps;
  }

  /**
   * Changes ε from the next forward on.
   *
   * @param value A finite number that is not negative.
   * @throws TypeError or RangeError if it is anything else (`ERR_BATCHNORM_TYPE`, `ERR_BATCHNORM_VALUE`).
   */
  set eps(value: number) {
    this.itself().#eps = checkInRange("eps", value, 0, Number.MAX_VALUE);
  }

  /** Whether the layer is in training mode. It is true at first. `train()` and `eval()` set it. */
  get training(): boolean {
    return this.itself().#training;
  }

  /**
   * Puts the layer in training mode or in inference mode.
   *
   * @param value Whether it is training mode.
   * @throws TypeError if it is no boolean (`ERR_BATCHNORM_TYPE`).
   */
  set training(value: boolean) {
    this.itself().#training = checkBoolean("training", value);
  }

  /**
   * Whether the layer is frozen. A frozen layer normalizes with its running statistics and never updates them, even
   * after `train()`. Its backward treats them as constants. It is false at first. Use it for fine-tuning.
   */
  get frozen(): boolean {
    return this.itself().#frozen;
  }

  /**
   * Freezes the layer, or ends that.
   *
   * @param value Whether the layer is to be frozen.
   * @throws RangeError if the layer has no running statistics (`ERR_BATCHNORM_VALUE`).
   */
  set frozen(value: boolean) {
    const self = this.itself();
    if (checkBoolean("frozen", value)) self.#checkTracks("frozen");
    self.#frozen = value;
  }

  /**
   * The weight of a batch in the running statistics. It is the weight of the new batch, or of the old statistics with a
   * `convention` other than `"torch"`. A function returns it for each batch. With null the statistics are the mean over
   * all batches so far. See the option `momentum`. It may be changed at any time.
   */
  get momentum(): Momentum {
    return this.itself().#running.momentum;
  }

  /**
   * Changes the momentum from the next forward on.
   *
   * @param value A number from 0 to 1, a function that returns one, or null.
   * @throws RangeError if the number is out of range (`ERR_BATCHNORM_VALUE`).
   * @throws TypeError if it is anything else (`ERR_BATCHNORM_TYPE`).
   */
  set momentum(value: Momentum) {
    this.itself().#running.momentum = checkMomentum(value);
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
   * The number of batches that have updated the running statistics. It stays 0 with `trackRunningStats: false`, and
   * 2^53 - 1 once it is that. Only `momentum: null` uses it.
   */
  get numBatchesTracked(): number {
    return this.itself().#running.tracked;
  }

  /**
   * Sets the number of batches. All of them count for the running mean and for the running variance.
   *
   * @param value A non-negative integer. It must be 0 if the layer has no running statistics, as torch has no counter then.
   * @throws TypeError or RangeError if it is anything else (`ERR_BATCHNORM_TYPE`, `ERR_BATCHNORM_VALUE`).
   */
  set numBatchesTracked(value: number) {
    const self = this.itself();
    const tracked = checkInteger("numBatchesTracked", value, 0);
    if (tracked > 0) self.#checkTracks("numBatchesTracked");
    self.#running.takeOver({ tracked, skipped: 0 });
  }

  #checkTracks(name: string): void {
    if (this.runningMean) return;
    throw rangeError("ERR_BATCHNORM_VALUE", `"${name}" needs running statistics, got trackRunningStats: false`);
  }

  /**
   * Sets the running mean to 0, the running variance to 1 and `numBatchesTracked` to 0.
   *
   * @throws TypeError if an array was transferred to another thread (`ERR_BATCHNORM_DETACHED`).
   */
  resetRunningStats(): void {
    const { runningMean, runningVar } = this;
    for (const [name, table] of Object.entries({ runningMean, runningVar })) if (table) checkAttached(name, table);
    if (runningMean) fill(runningMean, 0);
    if (runningVar) fill(runningVar, 1);
    this.numBatchesTracked = 0;
  }

  /**
   * Sets every element of `weight` to 1 and every element of `bias` to 0.
   *
   * @throws TypeError if an array was transferred to another thread (`ERR_BATCHNORM_DETACHED`).
   */
  resetParameters(): void {
    const { weight, bias } = this;
    for (const [name, table] of Object.entries({ weight, bias })) if (table) checkAttached(name, table);
    if (weight) fill(weight, 1);
    if (bias) fill(bias, 0);
  }

  /**
   * Returns copies of the parameters and the running statistics, under the names that torch gives them. torch loads
   * such a state in its strict mode.
   *
   * @param options Whether the state has the entries that torch does not know.
   * @returns The state. Later calls do not change it.
   * @throws TypeError if an option is wrong (`ERR_BATCHNORM_TYPE`, `ERR_BATCHNORM_OPTION`).
   */
  stateDict(options?: StateDictOptions): StateDict<D> {
    return copyState(this, this.itself().#running, options);
  }

  /**
   * Copies a state into the layer. The state has the names of torch. It is an object or a Map, and may come from JSON.
   *
   * - Parameters and statistics are a typed array of any float type, an Array, the object that JSON makes of a typed
   *   array, or a tensor `{ data, shape }` or `{ data, dims }` of the shape [channels]. They are rounded to the type of
   *   the layer. A Uint16Array is accepted by layers of 16-bit data, whose type it has.
   * - `num_batches_tracked` is a number, a bigint, an array of one element, or a tensor of one. If it is absent, it is 0,
   *   as in torch.
   * - `num_batches_skipped` and `contract_version` may be present: see `StateDict`.
   *
   * If the call throws, the layer is unchanged.
   *
   * @param state The state, for example one that `stateDict()` returned.
   * @param options A prefix of the names, and whether the names must be those of the layer.
   * @returns The keys that were missing and those that were not expected. Both lists are empty unless `strict` is false.
   * @throws RangeError if an entry is missing or unexpected (`ERR_BATCHNORM_STATE`), if one is too long or short
   * (`ERR_BATCHNORM_SHAPE`), or if a number is wrong (`ERR_BATCHNORM_VALUE`): a variance that is negative or NaN, a
   * finite number that is infinite in the type of the layer, a counter that is no integer.
   * @throws TypeError if an entry has the wrong kind (`ERR_BATCHNORM_TYPE`) or an option is wrong.
   */
  loadStateDict(state: StateSource, options?: LoadStateDictOptions): IncompatibleKeys {
    const running = this.itself().#running;
    const { batches, keys } = loadState(this, running, state, options);
    running.takeOver(batches);
    return keys;
  }

  /** How the running statistics move. */
  protected get running(): Running {
    return this.itself().#running;
  }

  /** Takes over the state and the modes of a layer with the same options. */
  protected takeOver(layer: LayerState<D>): void {
    const from = layer.itself();
    copyTables(from, this);
    this.#running.takeOver(from.#running);
    this.#running.momentum = from.#running.momentum;
    this.#frozen = from.#frozen;
    this.#eps = from.#eps;
    this.#training = from.#training;
  }
}
