// Whether a claim held: by one rule, which was written before the experiments were run.
import { mean, standardDeviation } from "./network/evaluate.js";

/** What one seed gave. */
export interface Outcome {
  /** A diverged network counts as one that guesses; a goal that was not reached counts as reached at the last step. */
  readonly value: number;
  /** What takes the number's place in print, such as "diverged"; null where the number speaks for itself. */
  readonly word: string | null;
}

export type Outcomes = readonly Outcome[];

/** How a value is written: its digits, and the unit after them. */
export interface Format {
  readonly digits: (value: number) => string;
  readonly unit: string;
}

/** A line of a claim: what it measured without and with batch norm, and what should be larger than what. */
export interface Comparison {
  readonly name: string;
  readonly without: Outcomes;
  readonly with: Outcomes;
  readonly format: Format;
  /** What the claim says of this line; empty for a line that is only shown. */
  readonly claimed: readonly { readonly larger: Outcomes; readonly smaller: Outcomes }[];
}

export const RULE = `A difference counts if the means over the seeds differ by more than the sum of their standard deviations.
A claim held if every difference it speaks of counts and points its way, and held in part if some do.
A diverged network counts as one that guesses: 10 %. A goal that was not reached counts as reached at the last step.`;

export type Judgement = "yes" | "within the spread" | "no, the opposite" | "one seed cannot say";
export type Verdict = "yes" | "in part" | "no" | "one seed cannot say";

function judgeDifference(larger: Outcomes, smaller: Outcomes): Judgement {
  if (Math.min(larger.length, smaller.length) < 2) return "one seed cannot say";
  const values = [larger, smaller].map((outcomes) => outcomes.map(({ value }) => value));
  const [a, b] = values.map((each) => mean(each)) as [number, number];
  const [s, t] = values.map((each) => standardDeviation(each, 1)) as [number, number];
  if (a - b > s + t) return "yes";
  return b - a > s + t ? "no, the opposite" : "within the spread";
}

/** The weakest judgement of what a line claims; null where it claims nothing. */
export function judge({ claimed }: Comparison): Judgement | null {
  const all = claimed.map(({ larger, smaller }) => judgeDifference(larger, smaller));
  const order: Judgement[] = ["one seed cannot say", "no, the opposite", "within the spread", "yes"];
  return order.find((judgement) => all.includes(judgement)) ?? null;
}

export function verdictOf(comparisons: readonly Comparison[]): Verdict {
  const all = comparisons.map(judge).filter((judgement) => judgement !== null);
  if (all.includes("one seed cannot say")) return "one seed cannot say";
  if (all.every((judgement) => judgement === "yes")) return "yes";
  return all.includes("yes") ? "in part" : "no";
}

/** "93.1 ± 0.2 %", or the words of the seeds that have one, and the mean of the others. */
export function describe(outcomes: Outcomes, { digits, unit }: Format): string {
  const words = new Set(outcomes.flatMap(({ word }) => word ?? []));
  const worded = [...words].map((word) => {
    const count = outcomes.filter((outcome) => outcome.word === word).length;
    return outcomes.length === 1 ? word : `${count}× ${word}`;
  });
  const plain = outcomes.filter(({ word }) => word === null).map(({ value }) => value);
  const spread = plain.length > 1 ? ` ± ${digits(standardDeviation(plain, 1))}` : "";
  const number = plain.length > 0 ? [`${digits(mean(plain))}${spread}${unit}`] : [];
  return [...number, ...worded].join(", ");
}
