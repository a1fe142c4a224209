// A forward and a backward of a layer in two halves each, for a batch whose other parts are elsewhere: first what is to be
// exchanged, then the results from that of all parts.
import { workspaceOf } from "../arguments/forward.js";
import { gradientsOf } from "../arguments/backward.js";
import { describe } from "../base/check.js";
import { now, type Later } from "../base/later.js";
import { rangeError, typeError } from "../base/errors.js";
import type { ArrayOf, Data, DType } from "../base/types.js";
import {
  applyGrads,
  gradCoefficientsOf,
  gradSumsOf,
  maskGrads,
  parameterGrads,
  slopeSumsOf,
  type GradSums,
  type ParameterGrads,
} from "../engine/backward.js";
import { computeMoments } from "../engine/statistics.js";
import type { Workspace } from "../engine/workspace.js";
import type { Extent } from "../kernels/control.js";
import { gradsTogether, together, togetherLike } from "../policies/apart-axes.js";
import { applyGradsOfSamples, gradSumsOfSamples, isConditional } from "../policies/conditional.js";
import { MergedMoments, asGroup, forMomentsOfGroups, type GroupMoments } from "../policies/group-moments.js";
import {
  AddedGradSums,
  AddedSums,
  GRAD_SUMS,
  SLOPE_SUMS,
  forGradSumsOfGroups,
  type WantedSums,
} from "../policies/group-sums.js";
import type { SameForm, Sizes, Tensor } from "../values/plan.js";
import { nameOfActivation, slopesOf } from "../values/activation.js";
import { sizeOf, type Saved } from "../values/saved.js";
import { BatchNorm, type LayerBackwardOptions, type LayerForwardOptions } from "./batch-norm.js";
import type { BegunBackward, BegunForward } from "./forward-call.js";
import type { Config } from "./config.js";
import { configOf } from "./layer-state.js";
import { modeOf, statisticsOf } from "./mode.js";

export type { GroupMoments };

/** The sums of a backward over one group of a batch. Columns are those of `GroupMoments`. */
export interface GroupSums extends GradSums {
  /** The number of columns of each channel. */
  readonly columns: number;
  /** With PReLU the sums behind the gradients of its slopes, else null. */
  readonly sumSlope: Float64Array | null;
}

/** The tokens of forwards of parts, by what their copies share: their backward needs the sums of all parts. */
const tokens = new WeakSet<object>();

const resourcesFor =
  (config: Config) =>
  (extent: Extent, isWeighted: boolean): Workspace =>
    workspaceOf(config.dtype, extent, isWeighted, config);

/** What a synchronous call gives one after another. */
function listOf<T>(run: (use: (item: T) => void) => Later<void>): T[] {
  const list: T[] = [];
  now(run((item) => void list.push(item)));
  return list;
}

/** The options and the mode that results depend on. A function stands for any other. */
function agreementOf({ eps, momentum }: BatchNorm<DType>, config: Config, { asked }: BegunForward): string {
  const { dtype, correction, trackRunningStats, singleValue, onNonFinite, renorm, weight, bias } = config;
  const settings = {
    eps,
    momentum,
    dtype,
    correction,
    trackRunningStats,
    singleValue,
    onNonFinite,
    renorm,
    weight,
    bias,
  };
  return JSON.stringify([settings, nameOfActivation(config.activation), asked], (_, value: unknown) =>
    typeof value === "function" ? "function" : value,
  );
}

/** A forward of one part of a batch, whose arguments have been checked. */
export class ForwardPart<Output = unknown> {
  /**
   * Whether the statistics are those of the whole batch, so that `groups` of all parts are needed. It is false where the
   * running statistics are used, and after `eval()` unless `statistics: "batch"` was asked for.
   */
  readonly isShared: boolean;
  /** What must be equal in all parts: the options and the mode of the layer, as a text. */
  readonly agreement: string;
  readonly #layer: BatchNorm<DType>;
  readonly #config: Config;
  readonly #begun: BegunForward;

  /** @hidden */
  constructor(layer: BatchNorm<DType>, args: readonly unknown[]) {
    this.#layer = layer;
    const config = (this.#config = configOf(layer));
    const begun = (this.#begun = layer["beginForward"](args));
    const { asked, moments } = begun;
    const isOfBatch = statisticsOf(config, asked) === "batch";
    this.isShared = isOfBatch && moments === null && (asked.training || asked.statistics === "batch");
    this.agreement = agreementOf(layer, config, begun);
    if (!this.isShared) return;
    if (config.cut)
      throw rangeError("ERR_BATCHNORM_OPTION", `a part of a batch and "virtualBatchSize" exclude each other`);
    // What is wrong with any batch. A single value is none where other parts have more.
    modeOf({ shape: begun.arrays.plan.shape, count: 2 }, null, config, asked);
  }

  /**
   * Returns the moments of this part, by the groups of the exactness contract, in order. A part without elements has none.
   *
   * @param isMerged Whether the groups are merged to one.
   */
  groups(isMerged = false): readonly GroupMoments[] {
    const { arrays } = this.#begun;
    const { plan, weights } = arrays;
    const workspaceFor = resourcesFor(this.#config);
    const batch = { plan, x: together(plan, arrays.x), weights };
    if (!isMerged) return listOf((use) => forMomentsOfGroups(batch, workspaceFor, true, use));
    return plan.size === 0 ? [] : [asGroup(now(computeMoments(workspaceFor(plan, weights !== null), batch)))];
  }

  /**
   * Normalizes this part, and moves the running statistics.
   *
   * @param groups The groups of all parts, one part after another. null, if nothing is shared.
   * @returns The output, as `BatchNorm.forward` returns it.
   */
  finish(groups: Iterable<GroupMoments> | null): Output {
    const layer = this.#layer;
    const begun = this.#begun;
    if (!groups) return layer["finishForward"](begun, begun.moments) as Output;
    const merged = new MergedMoments(layer.numFeatures);
    for (const group of groups) merged.add(group);
    const output = layer["finishForward"](begun, merged.total());
    if (begun.arrays.kept && layer.saved && !layer.saved.fixedStatistics) tokens.add(layer.saved.life);
    return output as Output;
  }
}

/** A backward of one part of a batch, whose arguments have been checked. */
export class BackwardPart<Result = unknown> {
  /**
   * Whether gradients go through the statistics of the whole batch, so that `sums` of all parts are needed. It is false
   * where the forward shared nothing.
   */
  readonly isShared: boolean;
  /** The number of sums for each channel: 3 with PReLU, otherwise 2. */
  readonly kinds: 2 | 3;
  /** Whether gradInput is needed, which depends on all parts. */
  readonly needsInput: boolean;
  /** Whether a gradient of a parameter is needed. It can be that of this part, or of all. */
  readonly needsParameters: boolean;
  readonly #layer: BatchNorm<DType>;
  readonly #workspaceFor: (extent: Extent, isWeighted: boolean) => Workspace;
  readonly #begun: BegunBackward;
  /** The gradients of γ, β and slopes of each sample, of conditional batch normalization. */
  #ofSamples: ParameterGrads | null = null;

  /** @hidden */
  constructor(layer: BatchNorm<DType>, gradOutput: unknown, options: unknown) {
    this.#layer = layer;
    this.#workspaceFor = resourcesFor(configOf(layer));
    this.#begun = layer["beginBackward"](gradOutput, options, true);
    const { saved, needed } = this.#begun.call;
    this.isShared = !saved.fixedStatistics && (saved.isPart || tokens.has(saved.life));
    this.kinds = slopesOf(saved.activation) && !isConditional(saved) ? 3 : 2;
    this.needsInput = needed.input;
    this.needsParameters = needed.weight || needed.bias || needed.slope;
  }

  /** Whether the forward had a γ or β for each sample: these gradients are always those of this part. */
  get isConditional(): boolean {
    return isConditional(this.#begun.call.saved);
  }

  /**
   * Returns the sums of this part, by the groups of the exactness contract, in order. A part without elements has none.
   *
   * @param isMerged Whether the groups are added to one.
   */
  sums(isMerged = false): readonly GroupSums[] {
    const { saved, arrays } = this.#begun.call;
    const workspaceFor = this.#workspaceFor;
    const dy = togetherLike(saved, arrays.dy);
    if (isConditional(saved)) {
      const [sums, grads] = now(gradSumsOfSamples(this.#workspace(), saved, dy));
      this.#ofSamples = grads;
      return sizeOf(saved) === 0 ? [] : [{ ...sums, columns: 1, sumSlope: null }];
    }
    if (sizeOf(saved) === 0) return [];
    if (isMerged) return [this.#merged(saved, dy)];
    const groupsOf = (wanted: WantedSums): GradSums[] =>
      listOf((use) => forGradSumsOfGroups(saved, dy, workspaceFor, true, use, wanted));
    const ofSlopes = this.kinds === 3 ? groupsOf(SLOPE_SUMS) : null;
    return groupsOf(GRAD_SUMS).map((sums, i) => ({
      ...sums,
      columns: sums.sumG.length / saved.channels,
      sumSlope: ofSlopes && ofSlopes[i]!.sumG,
    }));
  }

  #workspace(): Workspace {
    const { saved } = this.#begun.call;
    return this.#workspaceFor(saved, saved.sampleWeights !== null);
  }

  #merged(saved: Saved, dy: Data): GroupSums {
    const workspace = this.#workspace();
    const sumSlope = this.kinds === 3 ? now(slopeSumsOf(workspace, saved, dy)) : null;
    return { ...now(gradSumsOf(workspace, saved, dy)), columns: 1, sumSlope };
  }

  /**
   * Computes the gradients.
   *
   * @param all The sums of all parts, one part after another. null, if nothing is shared.
   * @param own The sums that the gradients of γ, β and the slopes of a PReLU are made of: those of this part, or of all.
   * @returns The gradients, as `BatchNorm.backward` returns them.
   */
  finish(all: Iterable<GroupSums> | null, own: Iterable<GroupSums> = []): Result {
    const layer = this.#layer;
    const begun = this.#begun;
    const { call } = begun;
    const { saved, needed } = call;
    if (!all) {
      const grads = now(gradientsOf(call, (part) => this.#workspaceFor(part, part.sampleWeights !== null)));
      return layer["finishBackward"](begun, grads) as Result;
    }
    const { sums: ofAll } = totalOf(all, saved.channels);
    const { sums, slopes } = totalOf(own, saved.channels);
    const grads = this.#ofSamples ?? parameterGrads(saved, sums, needed.slope ? slopes : null, needed);
    this.#write(ofAll);
    return layer["finishBackward"](begun, onlyNeeded(grads, needed)) as Result;
  }

  /** Writes gradInput and gradResidual. */
  #write(sums: GradSums): void {
    const { saved, arrays } = this.#begun.call;
    if (sizeOf(saved) === 0 || !(arrays.dx ?? arrays.dresidual)) return;
    const coefficients = gradCoefficientsOf(saved, sums);
    const written = gradsTogether(saved, arrays, ({ dy, dx, dresidual }) => {
      const workspace = this.#workspace();
      if (isConditional(saved)) return applyGradsOfSamples(workspace, saved, coefficients, { dy, dx, dresidual });
      if (dx) return applyGrads(workspace, saved, coefficients, { dy, dx, dresidual });
      return dresidual ? maskGrads(workspace, saved, dy, dresidual) : undefined;
    });
    now(written);
  }
}

/** Those of the gradients that were asked for. */
function onlyNeeded(
  { gradWeight, gradBias, gradSlope }: ParameterGrads,
  needed: { readonly weight: boolean; readonly bias: boolean; readonly slope: boolean },
): ParameterGrads {
  return {
    gradWeight: needed.weight ? gradWeight : null,
    gradBias: needed.bias ? gradBias : null,
    gradSlope: needed.slope ? gradSlope : null,
  };
}

function totalOf(
  groups: Iterable<GroupSums>,
  channels: number,
): { readonly sums: GradSums; readonly slopes: Float64Array } {
  const added = new AddedGradSums(channels);
  const slopes = new AddedSums(channels);
  for (const group of groups) {
    added.add(group);
    if (group.sumSlope) slopes.add(group.sumSlope);
  }
  return { sums: added.total(), slopes: slopes.total() };
}

function checkLayer(layer: unknown): void {
  if (!(layer instanceof BatchNorm))
    throw typeError("ERR_BATCHNORM_TYPE", `"layer" expected a BatchNorm, got ${describe(layer)}`);
}

/**
 * Begins a forward of one part of a batch, whose other parts are elsewhere: on other workers, or on other machines. It
 * checks the arguments. `groups()` of the result is what the parts exchange, and `finish(groups)` normalizes.
 *
 * If every part but the last ends where a group of the exactness contract does, the results have the bits of the whole
 * batch. `SyncBatchNorm` of `batchnorm/sync` is made of this function and of `backwardPart`.
 *
 * @example
 * ```ts
 * const part = forwardPart(bn, x, [64, 16, 28, 28]);
 * const y = part.isShared ? part.finish(await exchange(part.groups())) : part.finish(null);
 * ```
 *
 * @param layer The layer. All parts must have layers with equal options and states.
 * @param x The elements of this part in row-major order.
 * @param shape The size of each axis. A part may have no samples.
 * @param options The options of `BatchNorm.forward`.
 * @throws TypeError or RangeError if an argument is wrong, as `BatchNorm.forward` does. The layer must have no virtual
 * batches (`ERR_BATCHNORM_OPTION`).
 */
export function forwardPart<D extends DType>(
  layer: BatchNorm<D>,
  x: ArrayOf<D>,
  shape: Sizes,
  options?: LayerForwardOptions<D>,
): ForwardPart<ArrayOf<D>>;
/**
 * Begins a forward of one part of a batch from a tensor. The first overload says more.
 *
 * @param layer The layer. All parts must have layers with equal options and states.
 * @param x The tensor, `{ data, shape }` or `{ data, dims }`.
 * @param options The options of `BatchNorm.forward`.
 * @throws TypeError or RangeError if an argument is wrong, as `BatchNorm.forward` does.
 */
export function forwardPart<D extends DType, T extends Tensor<D>>(
  layer: BatchNorm<D>,
  x: T,
  options?: LayerForwardOptions<D>,
): ForwardPart<SameForm<T, D>>;
export function forwardPart(layer: BatchNorm<DType>, ...args: unknown[]): ForwardPart {
  checkLayer(layer);
  return new ForwardPart(layer, args);
}

/**
 * Begins a backward of one part of a batch. It checks the arguments. `sums()` of the result is what the parts exchange, and
 * `finish(all, own)` computes the gradients.
 *
 * @example
 * ```ts
 * const part = backwardPart(bn, gradOutput);
 * const own = part.sums();
 * const { gradInput, gradWeight } = part.isShared ? part.finish(await exchange(own), own) : part.finish(null);
 * ```
 *
 * @param layer The layer.
 * @param gradOutput The gradient of the loss with respect to the output, as an array or a tensor.
 * @param options The options of `BatchNorm.backward`.
 * @throws TypeError or RangeError if an argument is wrong, as `BatchNorm.backward` does.
 */
export function backwardPart<D extends DType>(
  layer: BatchNorm<D>,
  gradOutput: ArrayOf<D> | Tensor<D>,
  options?: LayerBackwardOptions<D, boolean>,
): BackwardPart {
  checkLayer(layer);
  return new BackwardPart(layer, gradOutput, options);
}
