// A batch that comes in micro-batches, each of which can be had again: a forward and a backward with the statistics of all
// of them, in the memory of one.
import { checkOperand, workspaceOf, type ForwardFields } from "../arguments/forward.js";
import type { Gradients } from "../arguments/backward.js";
import { checkData, checkInteger, describe, isRecord } from "../base/check.js";
import { rangeError, typeError } from "../base/errors.js";
import { readOptions } from "../base/options.js";
import { allocateOutput } from "../base/outputs.js";
import type { ArrayOf, Data, DType } from "../base/types.js";
import { applyGrads, gradCoefficientsOf, parameterGrads } from "../engine/backward.js";
import { tokenOf } from "../engine/forward.js";
import type { Workspace } from "../engine/workspace.js";
import type { Extent } from "../kernels/control.js";
import { SLOPE_SUMS } from "../policies/group-sums.js";
import { GroupedGradSums, GroupedMoments } from "../policies/groups.js";
import { slopesOf } from "../values/activation.js";
import { planOf, readOperand, readShape, type Plan, type Sizes, type Tensor } from "../values/plan.js";
import type { Saved } from "../values/saved.js";
import { WEIGHTS, readWeights, weightsOf, type Weights } from "../values/weights.js";
import { BatchNorm } from "./batch-norm.js";
import type { Config } from "./config.js";
import { configOf } from "./layer-state.js";
import { readAsked, statisticsOf } from "./mode.js";

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

const FIELDS = ["x", "shape", "residual", "out", "maskedOutput", ...WEIGHTS] as const;

/** The gradients of the parameters, and of the slopes of a PReLU. */
export type MicroBatchTotals<D extends DType> = Pick<Gradients<D>, "gradWeight" | "gradBias" | "gradSlope">;

/** A micro-batch as it was read and checked. */
interface Part {
  readonly plan: Plan;
  readonly x: Data;
  readonly residual: Data | null;
  readonly weights: Weights | null;
  /** As the layer's forward takes them. */
  readonly options: Record<string, unknown>;
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
  readonly #read: (index: number) => MicroBatch<D>;
  /** The token of the first micro-batch, without its arrays. */
  #saved: Saved | null = null;
  /** The shapes of the newest forward. */
  readonly #shapes: (readonly number[])[] = [];

  /**
   * @param layer The layer.
   * @param count The number of micro-batches.
   * @param read Returns a micro-batch. It is called twice for each of them by a forward, and twice by a backward.
   * @throws TypeError or RangeError if an argument is wrong, or if the layer has virtual batches, which have statistics of
   * their own (`ERR_BATCHNORM_OPTION`).
   */
  constructor(layer: BatchNorm<D>, count: number, read: (index: number) => MicroBatch<D>) {
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

  #part(index: number): Part {
    const given: unknown = this.#read(index);
    const name = `read(${index})`;
    if (!isRecord(given)) throw typeError("ERR_BATCHNORM_TYPE", `"${name}" expected an object, got ${describe(given)}`);
    const { x, shape, ...options } = readOptions(given, FIELDS, name);
    const { dtype, axis } = this.#config;
    const plan = planOf(readShape(`${name}.shape`, shape), axis, dtype, this.#layer.numFeatures);
    this.#checkShape(index, plan);
    if (plan.apartAxes)
      throw rangeError("ERR_BATCHNORM_OPTION", `micro-batches and channel axes that do not touch exclude each other`);
    const residual = options["residual"] ?? null;
    return {
      plan,
      x: checkData("x", x, dtype, plan.size),
      residual: residual === null ? null : checkOperand("residual", readOperand("residual", residual), plan),
      weights: weightsOf(plan, readWeights(options, plan.size)),
      options,
    };
  }

  /** What `read` returns must be the same each time; so far as it costs nothing, that is checked. */
  #checkShape(index: number, { shape }: Plan): void {
    const before = (this.#shapes[index] ??= shape);
    if (before.join() === shape.join()) return;
    const text = `"read(${index}).shape" expected [${before.join(", ")}] as before, got [${shape.join(", ")}]`;
    throw rangeError("ERR_BATCHNORM_SHAPE", text);
  }

  *#parts(): Generator<readonly [Part, number]> {
    for (let i = 0; i < this.#count; i++) yield [this.#part(i), i];
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
    this.#shapes.length = 0;
    const isBatch = statisticsOf(this.#config, readAsked(layer, {})) === "batch";
    const grouped = new GroupedMoments(layer.numFeatures, this.#workspaceFor);
    if (isBatch) for (const [part] of this.#parts()) grouped.add(part);
    const moments = isBatch ? grouped.total() : undefined;
    const moves = isBatch && layer.training && !layer.frozen && layer.runningMean !== null;
    let first: Saved<D> | null = null;
    for (const [{ plan, x, options }, i] of this.#parts()) {
      const { saved } = layer;
      const updateRunningStats = moves && i === 0 ? "later" : false;
      const asked = { ...options, moments, updateRunningStats, save: true } as const;
      const output = layer.forward(x as ArrayOf<D>, plan.shape, asked);
      first ??= layer.saved;
      // The layer's own token is that of its newest forward of a whole batch.
      layer["replaceSaved"](saved);
      use(output, i);
    }
    if (moves) layer.commit(first!);
    this.#saved = { ...(first as Saved), x: allocateOutput(layer.dtype, 0), residualOrOutput: null };
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
    const saved = this.#saved;
    if (!saved) throw rangeError("ERR_BATCHNORM_SAVED", `a backward needs a forward of the micro-batches before it`);
    const gradOf = (i: number, { size, dtype }: Plan): Data =>
      checkData(`gradOutput(${i})`, gradOutput(i), dtype, size);
    const grouped = new GroupedGradSums(saved.channels, this.#workspaceFor);
    const slopes = slopesOf(saved.activation) && new GroupedGradSums(saved.channels, this.#workspaceFor, SLOPE_SUMS);
    for (const [part, i] of this.#parts()) {
      const [token, dy] = [tokenOf(saved, part), gradOf(i, part.plan)];
      grouped.add(token, dy);
      slopes?.add(token, dy);
    }
    const sums = grouped.total();
    const coefficients = gradCoefficientsOf(saved, sums);
    for (const [part, i] of this.#parts()) {
      const token = tokenOf(saved, part);
      const { dtype, size } = part.plan;
      const dx = allocateOutput(dtype, size);
      const dresidual = part.residual && allocateOutput(dtype, size);
      const workspace = this.#workspaceFor(part.plan, token.sampleWeights !== null);
      applyGrads(workspace, token, coefficients, { dy: gradOf(i, part.plan), dx, dresidual });
      use({ gradInput: dx, gradResidual: dresidual } as MicroBatchGradients<D>, i);
    }
    this.#saved = null;
    const { gradSlope, ...grads } = parameterGrads(saved, sums, slopes && slopes.total().sumG);
    return (gradSlope ? { ...grads, gradSlope } : grads) as MicroBatchTotals<D>;
  }
}
