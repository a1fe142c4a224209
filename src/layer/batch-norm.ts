// The calls of a layer: forward and backward. What it keeps between them is in layer-state.ts, and all arithmetic is in
// the engine below.
import { selectBackend } from "../backends/backend.js";
import type { BackendName } from "../backends/candidates.js";
import { CONDITIONAL, type ConditionalOptions } from "../arguments/conditional.js";
import { outputOf, promiseOutput, withOutput, withRun, type AsyncOptions, type AsyncRun } from "../arguments/async.js";
import { runBackward } from "../arguments/backward-async.js";
import { FORWARD_OPTIONS, readForward, type ForwardOptions, type GivenForward } from "../arguments/forward.js";
import { gradientsOf, readBackward, resultOf, type BackwardOptions, type Gradients } from "../arguments/backward.js";
import { checkInteger } from "../base/check.js";
import { now } from "../base/later.js";
import { readOptions } from "../base/options.js";
import { readSignal, type AbortSignalLike } from "../base/signal.js";
import { CallQueue } from "./call-queue.js";
import { convertConfig, readConfig, type Config } from "./config.js";
import type { BatchNormOptions } from "./options.js";
import type { Convention } from "./convention.js";
import { DeferredUpdates } from "./deferred.js";
import type { ParameterGrads } from "../engine/backward.js";
import type { BegunBackward, BegunForward, Normalized } from "./forward-call.js";
import { LayerForwards } from "./forwards.js";
import { readGiven } from "./given-moments.js";
import { LayerState } from "./layer-state.js";
import { INSPECT, inspected, textOf } from "./layer-text.js";
import { LayerMemory } from "./memory.js";
import { MODE_OPTIONS, readAsked, type Asked, type ModeOptions } from "./mode.js";
import { runningOf } from "./tables.js";
import type { RenormMetrics } from "../policies/renorm.js";
import type { ChannelMoments, WholeMoments } from "../kernels/moments.js";
import { sharesMemory } from "../values/aliases.js";
import { checkSlopes } from "../values/read-activation.js";
import { asGiven, type SameForm, type Sizes, type Tensor } from "../values/plan.js";
import { markUsed, sizeOf, type Saved } from "../values/saved.js";
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

const LAYER_BACKWARD_OPTIONS = ["out", "residualOut", "saved", "accumulate", "need"];

/** The options of `BatchNorm.backward`. */
export interface LayerBackwardOptions<D extends DType, Input extends boolean = true> extends BackwardOptions<D, Input> {
  /** The token of the forward to differentiate. The default is the newest one, `layer.saved`. */
  saved?: Saved<D> | null | undefined;
}

/** An output, and the token of its forward. */
interface WithToken {
  readonly output: unknown;
  readonly saved: Saved | null;
}

/** Ends a forward. `y` is the output as the caller gets it. */
type End<R> = (begun: BegunForward, done: Normalized, y: Data) => R;

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
  readonly #queue = new CallQueue();
  readonly #forwards: LayerForwards;
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
    this.#forwards = new LayerForwards(config, this.#memory, this.running);
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
   * The number of threads that worked on the newest call. It is 1 for a small tensor, before the first call, if another
   * worker was using the pool of native threads, and on WebAssembly for synchronous calls outside of a shared arena.
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
    return self.#forwards.begin(this, given, asked, moments, null);
  }

  /** Makes the output. `moments` stand for the batch's own; null: those are made here. */
  protected finishForward(begun: BegunForward, moments: WholeMoments | null): unknown {
    const self = this.itself();
    const done = now(self.#forwards.normalize(self.#forwards.callOf(begun, moments), null));
    self.#memory.noteThreads();
    return self.#finish(begun, done, begun.arrays.y);
  }

  /**
   * Normalizes x as `forward` does, while the event loop goes on. The results have the same bits. The calls of one layer
   * happen in the order in which they were made. Those of different layers run side by side.
   *
   * The options and the mode of the layer are read now, γ, β, ε and the running statistics when the call's turn comes. Do
   * not change x, the residual and `out` before the promise is settled. With `reuse: true` the output belongs to the
   * caller until `release`. Native and WebAssembly kernels run on another thread if x has 131072 elements or more.
   * Otherwise the call is made at its turn on the calling thread.
   *
   * @param x The elements in row-major order. In a SharedArrayBuffer they are not copied.
   * @param shape The size of each axis. The tensor may have any rank. The channel axis must have `numFeatures`
   * channels.
   * @param options The options of `forward`, and a signal.
   * @returns A promise of the output: a new array, or `out`.
   * @throws It rejects with the errors of `forward`, with the reason of the signal, with `ERR_BATCHNORM_BUSY` if
   * `maxPending` calls have not ended, and with `ERR_BATCHNORM_DETACHED` if an array lost its memory meanwhile. The
   * running statistics have not moved then.
   */
  forwardAsync(x: ArrayOf<D>, shape: Sizes, options?: LayerForwardOptions<D> & AsyncOptions): Promise<ArrayOf<D>>;
  /**
   * Normalizes a tensor as `forward` does, while the event loop goes on. The overload for an array says more.
   *
   * @param x The tensor, `{ data, shape }` or `{ data, dims }`. It may have any rank.
   * @param options The options of `forward`, and a signal.
   * @returns A promise of the output, as a tensor of the same form as x.
   * @throws It rejects where the overload for an array does.
   */
  forwardAsync<T extends Tensor<D>>(x: T, options?: LayerForwardOptions<D> & AsyncOptions): Promise<SameForm<T, D>>;
  // Errors of the arguments reject the promise, too.
  async forwardAsync(...args: unknown[]): Promise<unknown> {
    const self = this.itself();
    const given = readForward(args, [...LAYER_FORWARD_OPTIONS, "signal"]);
    const asked = readAsked(this, given.options);
    const moments = readGiven(given.options, self.numFeatures);
    const signal = readSignal(given.options);
    return this.atTurn(() => self.#forwardLater(this, given, asked, moments, signal), signal);
  }

  /** Does an asynchronous call when those before it have ended. */
  protected atTurn<T>(run: () => Promise<T>, signal: AbortSignalLike | null): Promise<T> {
    const self = this.itself();
    return self.#queue.add(run, signal, self.#config.maxPending);
  }

  /**
   * A forward within an asynchronous call whose turn it is. It leaves its token to the caller alone. `mode` is that of the time
   * of the call.
   */
  protected forwardWithin(
    args: readonly unknown[],
    mode: Pick<Asked, "training" | "frozen">,
    signal: AbortSignalLike | null,
  ): Promise<WithToken> {
    const self = this.itself();
    const given = readForward(args, LAYER_FORWARD_OPTIONS);
    const asked = readAsked(mode, given.options);
    const moments = readGiven(given.options, self.numFeatures);
    const end: End<WithToken> = (begun, done, y) => ({ output: self.#finishApart(begun, done, y), saved: done.saved });
    return self.#forwardLater(this, given, asked, moments, signal, end);
  }

  async #forwardLater<R = unknown>(
    layer: this,
    given: GivenForward,
    asked: Asked,
    moments: WholeMoments | null,
    signal: AbortSignalLike | null,
    end: End<R> = (begun, done, y) => this.#finish(begun, done, y) as R,
  ): Promise<R> {
    const config = this.#config;
    const forwards = this.#forwards;
    const call = forwards.callOf(forwards.begin(layer, given, asked, moments, promiseOutput), moments);
    const { plan, weights } = call.arrays;
    const { dtype, size } = plan;
    return withRun({ dtype, size, isWeighted: weights !== null }, config, signal, async (run) => {
      const make = (isPlain: boolean): Data =>
        config.reuse ? this.#memory.lend(size) : outputOf(run, dtype, size, isPlain);
      const arrays = withOutput(call.arrays, run, config.cut !== null, make);
      const own = { ...call, arrays };
      try {
        const normalized = forwards.normalize(own, run);
        // On the calling thread nothing may come in between: the moments are in the layer's own control block.
        const done = run ? await normalized : now(normalized);
        if (run) {
          await run.session.finish();
          this.#memory.noteThreadsOf(run.threadsUsed);
        } else this.#memory.noteThreads();
        return end(own, done, run ? run.session.taken(arrays.y) : arrays.y);
      } catch (error) {
        if (config.reuse && arrays.y !== call.arrays.y) this.#memory.release(arrays.y);
        throw error;
      }
    });
  }

  /** Saves the token of a forward and moves the running statistics. `y` is the output as the caller gets it. */
  #finish(begun: BegunForward, done: Normalized, y: Data): unknown {
    const { saved } = done;
    if (saved || begun.asked.training || refersTo(this.#saved, y)) this.#saved = saved as Saved<D> | null;
    return this.#finishApart(begun, done, y);
  }

  /** Moves the running statistics, and leaves the token of the layer as it is. */
  #finishApart(
    { given, asked, running, weight }: BegunForward,
    { saved, moved, renormed }: Normalized,
    y: Data,
  ): unknown {
    if (renormed) this.#lastRenorm = renormed;
    if (asked.update === "later") this.#deferred.add(saved!, moved);
    else if (moved.length > 0) this.#forwards.move(running!, moved, weight);
    return asGiven(given.x, y);
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
    if (moved.length > 0) self.#forwards.move(running!, moved, weight);
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
    const size = sizeOf(begun.call.saved);
    const grads = now(gradientsOf(begun.call, (part) => self.#memory.keptFor(part, part.sampleWeights !== null, size)));
    return this.finishBackward(begun, grads);
  }

  /** Reads and checks a backward. Nothing is written. `ofPart`: the token may be that of a part of a batch. */
  protected beginBackward(gradOutput: unknown, given: unknown, ofPart: boolean): BegunBackward {
    const self = this.itself();
    const options = readOptions(given, LAYER_BACKWARD_OPTIONS);
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
   * Computes gradients as `backward` does, while the event loop goes on. The results have the same bits. It happens after
   * the earlier asynchronous calls of the layer, so that the default token is that of a `forwardAsync` before it. The
   * token is used up unless the promise is rejected, and in any case if `out` is the saved x. Do not change gradOutput, the
   * arrays of the token and `out` before the promise is settled.
   *
   * @param gradOutput The gradient of the loss with respect to the output. It is as long as x.
   * @param options The options of `backward`, and a signal.
   * @returns A promise of the gradients with respect to x, `weight`, `bias` and the residual.
   * @throws It rejects with the errors of `backward`, and where `forwardAsync` does.
   */
  backwardAsync<Input extends boolean = true>(
    gradOutput: ArrayOf<D>,
    options?: LayerBackwardOptions<D, Input> & AsyncOptions,
  ): Promise<Gradients<D, ArrayOf<D>, Input>>;
  /**
   * Computes gradients as `backward` does, while the event loop goes on. The overload for an array says more.
   *
   * @param gradOutput The gradient of the loss with respect to the output, as a tensor of the shape of x.
   * @param options The options of `backward`, and a signal.
   * @returns A promise of the gradients with respect to x, `weight`, `bias` and the residual. Those of the size of x are
   * tensors.
   * @throws It rejects where the overload for an array does.
   */
  backwardAsync<T extends Tensor<D>, Input extends boolean = true>(
    gradOutput: T,
    options?: LayerBackwardOptions<D, Input> & AsyncOptions,
  ): Promise<Gradients<D, SameForm<T, D>, Input>>;
  async backwardAsync(gradOutput: unknown, given?: unknown): Promise<unknown> {
    const self = this.itself();
    const options = readOptions(given, [...LAYER_BACKWARD_OPTIONS, "signal"]);
    const signal = readSignal(options);
    return this.atTurn(() => self.#backwardLater(gradOutput, options, signal), signal);
  }

  async #backwardLater(
    gradOutput: unknown,
    options: Record<string, unknown>,
    signal: AbortSignalLike | null,
  ): Promise<unknown> {
    const token = ("saved" in options ? options["saved"] : this.#saved) as Saved;
    const expected = { dtype: this.dtype, channels: this.numFeatures, again: false, ofPart: false };
    const read = readBackward(gradOutput, token, options, promiseOutput, expected, promiseOutput);
    const { reuse } = this.#config;
    const size = sizeOf(read.saved);
    let lent: Data | null = null;
    const make = (run: AsyncRun | null, isPlain: boolean): Data =>
      reuse ? (lent = this.#memory.lend(size)) : outputOf(run, this.dtype, size, isPlain);
    const onEnd = (run: AsyncRun | null): void => this.#memory.noteThreadsOf(run?.threadsUsed ?? 1);
    try {
      const result = await runBackward(read, { resources: this.#config, signal, make, onEnd });
      if (token === this.#saved) this.#saved = null;
      return result;
    } catch (error) {
      if (lent) this.#memory.release(lent);
      throw error;
    }
  }

  /** The number of asynchronous calls that wait or run. The option `maxPending` limits it. */
  get pending(): number {
    return this.itself().#queue.pending;
  }

  /**
   * Gives an array back to a layer with `reuse`, for later asynchronous calls. Do not use it afterwards, nor a token that
   * refers to it. An array that is never given back is left to the garbage collector.
   *
   * @param array The output of `forwardAsync`, or the `gradInput` of `backwardAsync`.
   * @throws TypeError if it is no array (`ERR_BATCHNORM_TYPE`).
   * @throws RangeError if it is another array, or was given back already (`ERR_BATCHNORM_VALUE`).
   */
  release(array: ArrayOf<D>): void {
    this.itself().#memory.release(array);
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
