import { table } from "../../../scripts/tools/page.js";
import type { OneAtATime } from "../network/evaluate.js";
import { settings } from "../settings.js";
import { accuracyOutcome, outcomes, PERCENT, type Claim, type Find } from "./claim.js";
import type { Outcomes } from "../verdict.js";

const setting = settings.trap;

function accuracies(find: Find, normalized: boolean, which: "running" | "own"): Outcomes {
  return outcomes(find(setting, normalized), 0.1, ({ probed }) => accuracyOutcome(probed.trap![which]!.accuracy));
}

function cells(find: Find): string {
  const row = (seed: number, network: string, { accuracy, distinctAnswers, distinctOutputs }: OneAtATime): string[] => [
    `${seed}`,
    network,
    `${PERCENT.digits(accuracy)} %`,
    `${distinctAnswers}`,
    `${distinctOutputs}`,
  ];
  return table({
    head: ["seed", "statistics", "accuracy", "different\nanswers", "different\noutputs"],
    rows: find(setting, true).flatMap(({ training, probed: { trap } }) =>
      trap?.own ? [row(training.seed, "running", trap.running), row(training.seed, "of the one digit", trap.own)] : [],
    ),
  });
}

export const trap: Claim = {
  name: "trap",
  title: "A trap: a network that is used must normalize by its running statistics, not by those of what it is given",
  who: "Ioffe & Szegedy 2015, section 3.1, Algorithm 2",
  did: `After ${setting.steps} steps, held-out digits go through the network one at a time: in evaluation mode, and in training mode, which normalizes a digit by itself.`,
  plans: [{ setting, probes: ["trap"] }],
  compare(find) {
    const without = accuracies(find, false, "running");
    const [running, own] = [accuracies(find, true, "running"), accuracies(find, true, "own")];
    const line = { without, format: PERCENT };
    return [
      { ...line, name: "evaluation", with: running, claimed: [] },
      { ...line, name: "training mode", with: own, claimed: [{ larger: running, smaller: own }] },
    ];
  },
  yes: "By its own statistics every digit looks the same, and gets the same answer: call eval() before you use a network.",
  no: "Statistics of one digit did not clearly hurt.",
  show: (find) =>
    `${cells(find)}<p class="note">A batch of one has a variance of zero: every value becomes β, whatever the digit shows. The library refuses such a batch in training, unless it is told to allow it as here.</p>`,
};
