// How running statistics move: the weight of a batch, what its variance is divided by, and the counter.
import { copyInto, zeros } from "../base/arrays.js";
import { checkInRange, describe } from "../base/check.js";
import { typeError } from "../base/errors.js";
import { allocateLike } from "../base/outputs.js";
import type { Floats } from "../base/types.js";
import { mixInto, updateRunningVariance, variance as varianceOf, type WholeMoments } from "../kernels/moments.js";

/**
 * Returns the weight of a batch in the running statistics, from 0 to 1.
 *
 * @param batch The number of the batch: 1 for the first one that updates the statistics, and so on.
 */
export type MomentumSchedule = (batch: number) => number;

/**
 * The weight of a batch in the running statistics: a number from 0 to 1, a function that returns one for each batch, or
 * null for the mean over all batches so far.
 */
export type Momentum = number | null | MomentumSchedule;

/** Checks a momentum. A function is checked when it has returned. */
export function checkMomentum(value: unknown): Momentum {
  if (value === null || typeof value === "function") return value as Momentum;
  if (typeof value === "number") return checkInRange("momentum", value, 0, 1);
  throw typeError("ERR_BATCHNORM_TYPE", `"momentum" expected a number, a function or null, got ${describe(value)}`);
}

function addShare(total: Float64Array, table: Float64Array, count: number): void {
  for (let c = 0; c < total.length; c++) total[c]! += table[c]! / count;
}

export interface RunningTables {
  readonly mean: Floats;
  readonly variance: Floats;
}

/** Which running statistics a batch updates. */
export type Update = "none" | "mean" | "all";

/** What a batch moves. */
export interface Moved {
  readonly moments: WholeMoments;
  readonly update: Exclude<Update, "none">;
}

/** Copies of running statistics. */
export interface RunningAhead {
  readonly tables: RunningTables;
  readonly move: (moved: Moved, weight: number | null) => void;
}

function copyOfTable(table: Floats): Floats {
  const copy = allocateLike(table);
  copyInto(copy, table);
  return copy;
}

/** How many batches have moved the statistics, and how the next one will. */
export class Running {
  tracked = 0;
  /** Batches among them that had no variance, and moved the running mean alone. */
  skipped = 0;

  constructor(
    public momentum: Momentum,
    /** Whether momentum is the weight of the old statistics, as in Keras and ONNX. */
    readonly weighsOld: boolean,
    private readonly correction: 0 | 1,
  ) {}

  /** The number of the next batch. A counter that were no safe integer could not be loaded again. */
  get next(): number {
    return Math.min(this.tracked + 1, Number.MAX_SAFE_INTEGER);
  }

  /**
   * The weight of the next batch; null: that of a mean over all batches. It may run the caller's function, so a call asks
   * before it checks its arrays.
   */
  weightOfNext(): number | null {
    const { momentum } = this;
    if (momentum === null) return null;
    const batch = this.next;
    const value = typeof momentum === "function" ? checkInRange(`momentum(${batch})`, momentum(batch), 0, 1) : momentum;
    return this.weighsOld ? 1 - value : value;
  }

  /** Counts a batch. Returns the weights of its mean and of its variance. */
  #count(hasVariance: boolean, weight: number | null): readonly [ofMean: number, ofVariance: number] {
    const { next } = this;
    if (!hasVariance) this.skipped += next - this.tracked;
    this.tracked = next;
    return [weight ?? 1 / next, weight ?? 1 / Math.max(1, next - this.skipped)];
  }

  /** Moves the running statistics by a batch of this weight, and counts it. */
  move({ mean, variance }: RunningTables, { moments, update }: Moved, weight: number | null): void {
    const hasVariance = update === "all";
    const [ofMean, ofVariance] = this.#count(hasVariance, weight);
    mixInto(mean, moments.mean, ofMean);
    if (hasVariance) updateRunningVariance(variance, moments, this.correction, ofVariance);
  }

  /** Moves the running statistics once, by the mean of those of several batches. */
  moveByMean({ mean, variance }: RunningTables, moved: readonly Moved[], weight: number | null): void {
    const withVariance = moved.filter(({ update }) => update === "all");
    const hasVariance = withVariance.length > 0;
    const [means, variances] = [zeros(mean.length), zeros(mean.length)];
    for (const { moments } of moved) addShare(means, moments.mean, moved.length);
    for (const { moments } of withVariance)
      addShare(variances, varianceOf(moments, this.correction), withVariance.length);
    const [ofMean, ofVariance] = this.#count(hasVariance, weight);
    mixInto(mean, means, ofMean);
    if (hasVariance) mixInto(variance, variances, ofVariance);
  }

  /** Copies that move ahead of the statistics, for a call that may yet fail. */
  ahead({ mean, variance }: RunningTables): RunningAhead {
    const tables = { mean: copyOfTable(mean), variance: copyOfTable(variance) };
    const copy = new Running(this.momentum, this.weighsOld, this.correction);
    copy.takeOver(this);
    return { tables, move: (moved, weight) => copy.move(tables, moved, weight) };
  }

  /** Takes over the counters of another layer. */
  takeOver({ tracked, skipped }: Pick<Running, "tracked" | "skipped">): void {
    this.tracked = tracked;
    this.skipped = skipped;
  }
}
