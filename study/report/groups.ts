// The points of a variant over its seeds, and what is said of them in numbers.
import { mean, standardDeviation } from "../../examples/digits/network/evaluate.js";
import { experimentsOf, type ExperimentName } from "../experiments/experiments.js";
import { idOf, keyOf, planOf, type Settings } from "../experiments/plan.js";
import type { Size } from "../experiments/sizes.js";
import type { ByStatistics, ByUpdate, Point } from "../training/point.js";

export interface Group {
  readonly label: string;
  readonly settings: Settings;
  /** One for each seed that is there. */
  readonly points: readonly Point[];
  /** The number of seeds that are meant to be there. */
  readonly planned: number;
}

export class Groups {
  readonly #groups = new Map<string, Group>();

  /** Of `points`, those that were computed with the settings of this size. */
  constructor(
    points: ReadonlyMap<string, Point>,
    readonly size: Size,
  ) {
    for (const experiment of experimentsOf(size)) {
      for (const variant of experiment.variants) {
        const plan = planOf([{ ...experiment, variants: [variant] }], size.seeds);
        const there = plan.flatMap((planned) => {
          const point = points.get(idOf(planned));
          return point?.key === keyOf(planned) ? [point] : [];
        });
        const { label, settings } = variant;
        this.#groups.set(`${experiment.name}/${label}`, { label, settings, points: there, planned: plan.length });
      }
    }
  }

  of(experiment: ExperimentName, label: string): Group {
    const group = this.#groups.get(`${experiment}/${label}`);
    if (!group) throw new Error(`the experiment ${experiment} has no variant "${label}"`);
    return group;
  }

  get all(): Group[] {
    return [...this.#groups.values()];
  }
}

export const NOT_RUN = "not yet run";

/** The sample's standard deviation; 0 of a single value. */
function deviation(values: readonly number[]): number {
  return values.length < 2 ? 0 : standardDeviation(values, 1);
}

export type Measure = (point: Point) => number | null | undefined;

/** JSON has no NaN: what was one is null. */
export function isNumber(value: number | null | undefined): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

/** The measure of each point that has it. */
export function valuesOf({ points }: Group, measure: Measure): number[] {
  return points.map(measure).filter(isNumber);
}

export const inPercent: Measure = ({ accuracy }) => 100 * accuracy;

/** Mean and deviation over the seeds, and how many there are of them. */
export function cell(group: Group, measure: Measure = inPercent, digits = 1): string {
  const { points, planned } = group;
  const values = valuesOf(group, measure);
  if (points.length === 0) return NOT_RUN;
  if (values.length === 0) return "never";
  const spread = values.length > 1 ? ` ± ${deviation(values).toFixed(digits)}` : "";
  const some = points.length < planned ? ` (${points.length} of ${planned} seeds)` : "";
  const diverged = points.filter((point) => point.diverged).length;
  const broken = diverged > 0 ? `, diverged${points.length > 1 ? ` ${diverged} of ${points.length}` : ""}` : "";
  const absent = values.length < points.length ? ` (${values.length} of ${points.length})` : "";
  return `${mean(values).toFixed(digits)}${spread}${absent}${broken}${some}`;
}

/** The accuracy with the statistics of a kind. */
export const byStatistics =
  (kind: keyof ByStatistics): Measure =>
  ({ byStatistics: own }) =>
    own && 100 * own[kind];
export const byUpdate =
  (kind: keyof ByUpdate): Measure =>
  ({ byUpdate: own }) =>
    own && 100 * own[kind];

export function meanOf(group: Group, measure: Measure = inPercent): number {
  return mean(valuesOf(group, measure));
}

/** The mean, for a sentence. */
export function percent(group: Group, measure: Measure = inPercent): string {
  return `${meanOf(group, measure).toFixed(1)} %`;
}

/** How the mean of `a` stands to that of `b`, beside the spread over the seeds. `other` is what `b` is measured by. */
export function compared(a: Group, b: Group, measure: Measure = inPercent, other: Measure = measure): string {
  const difference = meanOf(a, measure) - meanOf(b, other);
  const spread = Math.hypot(deviation(valuesOf(a, measure)), deviation(valuesOf(b, other)));
  const size = `${Math.abs(difference).toFixed(2)} points ${difference < 0 ? "lower" : "higher"}`;
  if (Math.min(a.points.length, b.points.length) < 2) return `${size} (with one seed)`;
  return Math.abs(difference) > 2 * spread ? size : `${size}, which is within twice the spread over seeds`;
}

/** `say()` where all groups have points; else which have none. */
export function verdict(groups: readonly Group[], say: () => string): string {
  const absent = groups.filter(({ points }) => points.length === 0);
  if (absent.length === 0) return say();
  const names = absent.slice(0, 3).map(({ label }) => label);
  return `Not yet run: ${names.join("; ")}${absent.length > 3 ? ` and ${absent.length - 3} more` : ""}.`;
}
