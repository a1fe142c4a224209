// A batch that comes in micro-batches, each of which can be had again: a forward and a backward with the statistics of all
// of them, in the memory of one.
import type { AsyncOptions } from "../arguments/async.js";
import type { Gradients } from "../arguments/backward.js";
import { workspaceOf, type ForwardFields } from "../arguments/forward.js";
import { checkData, checkInteger, describe } from "../base/check.js";
import { rangeError, typeError } from "../base/errors.js";
import { after, inTurn, now, type Later } from "../base/later.js";
import { readOptions } from "../base/options.js";
import { allocateOutput } from "../base/outputs.js";
import { readSignal } from "../base/signal.js";
import type { ArrayOf, Data, DType } from "../base/types.js";
import { gradCoefficientsOf, parameterGrads } from "../engine/backward.js";
import { tokenOf } from "../engine/forward.js";
import type { Workspace } from "../engine/workspace.js";
import type { Extent } from "../kernels/control.js";
import type { WholeMoments } from "../kernels/moments.js";
import { SLOPE_SUMS } from "../policies/group-sums.js";
import { GroupedGradSums, GroupedMoments } from "../policies/groups.js";
import { slopesOf } from "../values/activation.js";
import type { Sizes, Tensor } from "../values/plan.js";
import type { Saved } from "../values/saved.js";
import { BatchNorm } from "./batch-norm.js";
import type { Config } from "./config.js";
import { configOf } from "./layer-state.js";
import { checkPart, inputsOf, writeGrads, type Part, type Shapes } from "./micro-parts.js";
import { atOnce, inTurns, type Way } from "./micro-ways.js";
import { readAsked, statisticsOf, type Asked } from "./mode.js";

/** A micro-batch, and the options of its forward. It must be the same each time that it is asked for. */
export interface MicroBatch<D extends DType> extends ForwardFields<D> {
  /** The elements in row-major order. */
  readonly x: ArrayOf<D>;
  /** The size of each axis. */
  readonly shape: Sizes;
  /** The array that receives the output. It must not be x, which the backward reads again. */
  out?: ArrayOf<D> | undefined;
  /** A tensor that is added to the normalized value, before the activation. It has the shape of x. */
  readonly residual?: ArrayOf<D> | Tensor<D> | undefined;
}

/** The gradients of a micro-batch: `gradInput`, and `gradResidual` if it had a residual. */
export type MicroBatchGradients<D extends DType> = Pick<Gradients<D>, "gradInput" | "gradResidual">;

/** The gradients of the parameters, and of the slopes of a PReLU. */
export type MicroBatchTotals<D extends DType> = Pick<Gradients<D>, "gradWeight" | "gradBias" | "gradSlope">;

/** What a forward leaves for its backward. */
interface Newest {
  /** The token of the first micro-batch, without its arrays. */
  readonly saved: Saved;
  readonly shapes: Shapes;
}

/** What a forward does with a micro-batch: the output, and its token. */
type Normalize = (part: Part, more: ForwardMore) => Later<{ readonly output: unknown; readonly saved: Saved | null }>;

interface ForwardMore {
  readonly moments: WholeMoments | undefined;
  readonly updateRunningStats: "later" | false;
  readonly save: true;
}

function checkFunction(name: string, value: unknown): void {
  if (typeof value !== "function")
    throw typeError("ERR_BATCHNORM_TYPE", `"${name}" expected a function, got ${describe(value)}`);
}

/**
 * A batch that is too large to be held at once. Its micro-batches are normalized with the statistics of the whole batch, and
 * the gradients go through these. Each micro-batch is read twice in a forward and twice in a backward, and only one of them
 * is held at a time.
 *
 * The results are those of the whole batch, to the bit, if every micro-batch but the last ends where a group of the
 * exactness contract does: n samples of channels-first images of h·w ≤ 2048 values make one where n = 32·⌊2048/(h·w)⌋, and
 * 4096 rows of n×c or channels-last data with 16 channels or more. Anywhere else they are equal up to rounding, which is
 * that of merging moments in float64.
 *
 * @example
 * ```ts
 * const batch = new MicroBatches(bn, 8, (i) => ({ x: load(i), shape: [64, 16, 28, 28] }));
 * batch.forward((output, i) => store(i, output));
 * const { gradWeight, gradBias } = batch.backward((i) => loadGradient(i), ({ gradInput }, i) => storeGradient(i, gradInput));
 * ```
 */
export class MicroBatches<D extends DType = "float32"> {
  readonly #layer: BatchNorm<D>;
  readonly #config: Config;
  readonly #count: number;
  readonly #read: (index: number) => unknown;
  #newest: Newest | null = null;

  /**
   * @param layer The layer.
   * @param count The number of micro-batches.
   * @param read Returns a micro-batch, or a promise of it for the asynchronous calls. It is called twice for each of them by a
   * forward, and twice by a backward.
   * @throws TypeError or RangeError if an argument is wrong, or if the layer has virtual batches, which have statistics of
   * their own (`ERR_BATCHNORM_OPTION`).
   */
  constructor(layer: BatchNorm<D>, count: number, read: (index: number) => MicroBatch<D> | PromiseLike<MicroBatch<D>>) {
    if (!(layer instanceof BatchNorm))
      throw typeError("ERR_BATCHNORM_TYPE", `"layer" expected a BatchNorm, got ${describe(layer)}`);
    checkFunction("read", read);
    this.#layer = layer;
    this.#count = checkInteger("count", count, 1);
    this.#read = read;
    this.#config = configOf(layer);
    if (this.#config.cut)
      throw rangeError("ERR_BATCHNORM_OPTION", `micro-batches and "virtualBatchSize" exclude each other`);
  }

  readonly #workspaceFor = (extent: Extent, isWeighted: boolean): Workspace =>
    workspaceOf(this.#config.dtype, extent, isWeighted, this.#config);

  /** Reads the micro-batches, one after another. */
  #forParts(way: Way, shapes: Shapes, use: (part: Part, index: number) => Later<void>): Later<void> {
    const { dtype, axis } = this.#config;
    const setting = { dtype, axis, channels: this.#layer.numFeatures, shapes };
    return inTurn(Array(this.#count).keys(), (i) =>
      way.with(this.#read(i), (given) => use(checkPart(i, given, setting), i)),
    );
  }

  /**
   * Normalizes the micro-batches. In training it does so with the moments of all of them, and moves the running statistics
   * once, after the last one.
   *
   * @param use Takes the output of each micro-batch, in order.
   * @throws TypeError or RangeError if a micro-batch is wrong; then the running statistics have not moved.
   */
  forward(use: (output: ArrayOf<D>, index: number) => void): void {
    checkFunction("use", use);
    const layer = this.#layer;
    const normalize: Normalize = ({ x, plan, options }, more) => {
      const before = layer.saved;
      const output = layer.forward(x as ArrayOf<D>, plan.shape, { ...options, ...more });
      const { saved } = layer;
      // The layer's own token is that of its newest forward of a whole batch.
      layer["replaceSaved"](before);
      return { output, saved };
    };
    now(this.#forward(atOnce(this.#workspaceFor), readAsked(layer, {}), normalize, use));
  }

  /**
   * Normalizes the micro-batches as `forward` does, while the event loop goes on. It is one call of the layer, which happens
   * after the earlier asynchronous calls of the layer and before the later ones. So do not await one of the same layer in `use`
   * or `read`: it waits for this call. Both may return promises, which are awaited. With `reuse: true` the outputs belong to the
   * caller until `release` of the layer.
   *
   * @param use Takes the output of each micro-batch, in order.
   * @param options A signal.
   * @throws It rejects with the errors of `forward`, and where `forwardAsync` of the layer does. Then the running statistics have
   * not moved.
   */
  async forwardAsync(use: (output: ArrayOf<D>, index: number) => unknown, options?: AsyncOptions): Promise<void> {
    checkFunction("use", use);
    const signal = readSignal(readOptions(options, ["signal"]));
    const layer = this.#layer;
    const asked = readAsked(layer, {});
    const normalize: Normalize = ({ x, plan, options: given }, more) =>
      layer["forwardWithin"]([x, plan.shape, { ...given, ...more }], asked, signal);
    const way = inTurns(this.#workspaceFor, this.#config, signal);
    return layer["atTurn"](async () => this.#forward(way, asked, normalize, use), signal);
  }

  #forward(
    way: Way,
    asked: Asked,
    normalize: Normalize,
    use: (output: ArrayOf<D>, index: number) => unknown,
  ): Later<void> {
    const layer = this.#layer;
    const shapes: Shapes = [];
    const isBatch = statisticsOf(this.#config, asked) === "batch";
    const moves = isBatch && asked.training && !asked.frozen && layer.runningMean !== null;
    const grouped = new GroupedMoments(layer.numFeatures);
    const add = (part: Part): Later<void> =>
      way.work(inputsOf(part), (workspaceFor) => grouped.add(part, workspaceFor));
    let first: Saved | null = null;
    return after(isBatch ? this.#forParts(way, shapes, add) : undefined, () => {
      const moments = isBatch ? grouped.total() : undefined;
      const ran = this.#forParts(way, shapes, (part, i) => {
        const updateRunningStats = moves && i === 0 ? "later" : false;
        return after(normalize(part, { moments, updateRunningStats, save: true }), ({ output, saved }) => {
          first ??= saved;
          return way.with(use(output as ArrayOf<D>, i), () => undefined);
        });
      });
      return after(ran, () => {
        if (moves) layer.commit(first as Saved<D>);
        this.#newest = { saved: { ...first!, x: allocateOutput(layer.dtype, 0), residualOrOutput: null }, shapes };
      });
    });
  }

  /**
   * Computes the gradients of the newest forward. It serves one backward.
   *
   * @param gradOutput Returns the gradient of the loss with respect to the output of a micro-batch. It is called twice for
   * each of them.
   * @param use Takes `gradInput`, and with a residual `gradResidual`, of each micro-batch, in order.
   * @returns The gradients of `weight`, `bias` and the slopes of a PReLU over all micro-batches.
   * @throws RangeError without a forward (`ERR_BATCHNORM_SAVED`).
   * @throws TypeError or RangeError if a micro-batch or a gradient is wrong.
   */
  backward(
    gradOutput: (index: number) => ArrayOf<D>,
    use: (gradients: MicroBatchGradients<D>, index: number) => void,
  ): MicroBatchTotals<D> {
    checkFunction("gradOutput", gradOutput);
    checkFunction("use", use);
    return now(this.#backward(atOnce(this.#workspaceFor), gradOutput, use));
  }

  /**
   * Computes the gradients of the newest forward as `backward` does, while the event loop goes on. It is one call of the layer, as
   * `forwardAsync` is, so that it takes the forward that was asked for before it. The functions may return promises, which are
   * awaited.
   *
   * @param gradOutput Returns the gradient of the loss with respect to the output of a micro-batch. It is called twice for
   * each of them.
   * @param use Takes `gradInput`, and with a residual `gradResidual`, of each micro-batch, in order.
   * @param options A signal.
   * @returns A promise of the gradients of `weight`, `bias` and the slopes of a PReLU over all micro-batches.
   * @throws It rejects with the errors of `backward`, and where `forwardAsync` of the layer does. Then the forward serves another
   * backward.
   */
  async backwardAsync(
    gradOutput: (index: number) => ArrayOf<D> | PromiseLike<ArrayOf<D>>,
    use: (gradients: MicroBatchGradients<D>, index: number) => unknown,
    options?: AsyncOptions,
  ): Promise<MicroBatchTotals<D>> {
    checkFunction("gradOutput", gradOutput);
    checkFunction("use", use);
    const signal = readSignal(readOptions(options, ["signal"]));
    const way = inTurns(this.#workspaceFor, this.#config, signal);
    return this.#layer["atTurn"](async () => this.#backward(way, gradOutput, use), signal);
  }

  #backward(
    way: Way,
    gradOutput: (index: number) => unknown,
    use: (gradients: MicroBatchGradients<D>, index: number) => unknown,
  ): Later<MicroBatchTotals<D>> {
    const newest = this.#newest;
    if (!newest) throw rangeError("ERR_BATCHNORM_SAVED", `a backward needs a forward of the micro-batches before it`);
    const { saved, shapes } = newest;
    /** Does something with each micro-batch, its token and the gradient of its output. */
    const forTokens = (run: (part: Part, token: Saved, dy: Data, index: number) => Later<void>): Later<void> =>
      this.#forParts(way, shapes, (part, i) =>
        way.with(gradOutput(i), (given) => {
          const { dtype, size } = part.plan;
          return run(part, tokenOf(saved, part), checkData(`gradOutput(${i})`, given, dtype, size), i);
        }),
      );
    const grouped = new GroupedGradSums(saved.channels);
    const slopes = slopesOf(saved.activation) && new GroupedGradSums(saved.channels, SLOPE_SUMS);
    const added = forTokens((part, token, dy) =>
      way.work(inputsOf(part, dy), (workspaceFor) =>
        after(grouped.add(token, dy, workspaceFor), () => slopes?.add(token, dy, workspaceFor)),
      ),
    );
    return after(added, () => {
      const sums = grouped.total();
      const coefficients = gradCoefficientsOf(saved, sums);
      const written = forTokens((part, token, dy, i) =>
        after(writeGrads(way, part, token, dy, coefficients), (gradients) =>
          way.with(use(gradients as MicroBatchGradients<D>, i), () => undefined),
        ),
      );
      return after(written, () => {
        if (this.#newest === newest) this.#newest = null;
        const { gradSlope, ...grads } = parameterGrads(saved, sums, slopes && slopes.total().sumG);
        return (gradSlope ? { ...grads, gradSlope } : grads) as MicroBatchTotals<D>;
      });
    });
  }
}
