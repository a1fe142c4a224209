// From claims to trainings, and from their results to verdicts.
import type { Claim, Find } from "./claims/claim.js";
import type { Task } from "./pool.js";
import type { Result } from "./train.js";
import type { BackendName } from "./training.js";
import type { Setting } from "./settings.js";
import { judge, verdictOf, type Comparison, type Verdict } from "./verdict.js";

/** What tells one setting from another. */
function keyOf({ activation, rate, batch, steps, initialStd, digits, look }: Setting): string {
  return JSON.stringify([activation, rate, batch, steps, initialStd, digits, look]);
}

/** Every training once, even where several claims look at it, without and with batch norm and with every seed. */
export function planTasks(claims: readonly Claim[], seeds: readonly number[], backend?: BackendName): Task[] {
  const plans = claims.flatMap((claim) => claim.plans);
  const distinct = new Map(plans.map(({ setting }) => [keyOf(setting), setting]));
  return [...distinct].flatMap(([key, setting]) => {
    const probes = plans.flatMap((plan) => (keyOf(plan.setting) === key ? (plan.probes ?? []) : []));
    return seeds.flatMap((seed) =>
      [false, true].map((normalized) => ({
        training: { ...setting, seed, normalized, ...(backend !== undefined && { backend }) },
        probes,
      })),
    );
  });
}

export function findIn(results: readonly Result[]): Find {
  return (setting, normalized) =>
    results.filter(({ training }) => training.normalized === normalized && keyOf(training) === keyOf(setting));
}

/** A claim with what came of it. */
export interface Finding {
  readonly claim: Claim;
  readonly comparisons: readonly Comparison[];
  readonly verdict: Verdict;
  /** The verdict in plain words. */
  readonly sentence: string;
}

const AND = new Intl.ListFormat("en");

function sentenceOf(claim: Claim, verdict: Verdict, comparisons: readonly Comparison[]): string {
  if (verdict === "one seed cannot say") return "One seed shows no spread, so nothing is judged.";
  if (verdict !== "in part") return verdict === "yes" ? claim.yes : claim.no;
  const lines = comparisons.map((comparison) => ({ name: comparison.name, judgement: judge(comparison) }));
  const holding = lines.filter(({ judgement }) => judgement === "yes").map(({ name }) => name);
  const others = lines.filter(({ judgement }) => judgement !== null && judgement !== "yes");
  const failing = others.map(({ name, judgement }) => `${name} (${judgement})`);
  return `It held for ${AND.format(holding)}, but not for ${AND.format(failing)}.`;
}

export function findings(claims: readonly Claim[], results: readonly Result[]): Finding[] {
  const find = findIn(results);
  return claims.map((claim) => {
    const comparisons = claim.compare(find);
    const verdict = verdictOf(comparisons);
    return { claim, comparisons, verdict, sentence: sentenceOf(claim, verdict, comparisons) };
  });
}
