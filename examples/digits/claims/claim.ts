// What every claim of the tour says of itself, and what they share.
import type { Comparison, Format, Outcome, Outcomes } from "../verdict.js";
import type { Probe } from "../probes.js";
import type { Result } from "../train.js";
import { settings, type Setting } from "../settings.js";

export interface Plan {
  readonly setting: Setting;
  readonly probes?: readonly Probe[];
}

/** The results of a setting, one for each seed. */
export type Find = (setting: Setting, normalized: boolean) => readonly Result[];

export interface Claim {
  /** Its name on the command line. */
  readonly name: string;
  /** What is claimed, and by whom. */
  readonly title: string;
  readonly who: string;
  /** What was done here. */
  readonly did: string;
  /** The trainings: each is run without and with batch norm, with every seed. */
  readonly plans: readonly Plan[];
  readonly compare: (find: Find) => Comparison[];
  /** One plain sentence for each verdict; where it held in part, the lines that did are named. */
  readonly yes: string;
  readonly no: string;
  /** HTML of the report: what there is to see, and what it means. */
  readonly show: (find: Find, comparisons: readonly Comparison[]) => string;
}

/** What was done, and with which units: claims of one rate with other units would seem to contradict each other. */
export function didOf({ did, plans }: Claim): string {
  const units = plans[0]!.setting.activation === "relu" ? "ReLU" : "Sigmoid";
  return `${units} units. ${did}`;
}

export const PERCENT: Format = { digits: (share) => (100 * share).toFixed(1), unit: " %" };

/** Plain numbers with so many decimals, and no −0. */
export function decimals(count: number): Format {
  return { digits: (value) => value.toFixed(count).replace(/^-(?=[0.]*$)/, ""), unit: "" };
}

const DIVERGED = "diverged";
/** What a guess among ten digits gets right. */
const GUESS = 0.1;

/** An accuracy, with its word where the network diverged or guesses. */
export function accuracyOutcome(accuracy: number): Outcome {
  return { value: accuracy, word: accuracy < settings.chance ? "at chance" : null };
}

/** A value of each result; `ifDiverged` takes its place where a network diverged. */
export function outcomes(results: readonly Result[], ifDiverged: number, of: (result: Result) => Outcome): Outcomes {
  return results.map((result) => (result.diverged === null ? of(result) : { value: ifDiverged, word: DIVERGED }));
}

/** The held-out accuracy after the last step. */
export function finalAccuracies(results: readonly Result[]): Outcomes {
  return outcomes(results, GUESS, ({ points }) => accuracyOutcome(points.at(-1)!.accuracy));
}

/** A line that compares the final held-out accuracy of a setting; `isClaimed`: batch norm is said to do better. */
export function accuracyComparison(name: string, find: Find, setting: Setting, isClaimed: boolean): Comparison {
  const [without, normalized] = [finalAccuracies(find(setting, false)), finalAccuracies(find(setting, true))];
  return {
    name,
    without,
    with: normalized,
    format: PERCENT,
    claimed: isClaimed ? [{ larger: normalized, smaller: without }] : [],
  };
}
