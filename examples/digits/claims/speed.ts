import { curvesOf } from "../charts.js";
import { figure } from "../../../scripts/tools/page.js";
import { settings } from "../settings.js";
import type { Result } from "../train.js";
import type { Outcome } from "../verdict.js";
import { decimals, outcomes, type Claim } from "./claim.js";

const { training, target } = settings.speed;

/** The first look at which the target was reached. */
function stepsToTarget({ points }: Result): Outcome {
  const reached = points.find(({ accuracy }) => accuracy >= target);
  return reached
    ? { value: reached.step, word: null }
    : { value: training.steps, word: `not in ${training.steps} steps` };
}

export const speed: Claim = {
  name: "speed",
  title: "Batch norm trains in fewer steps",
  who: "Ioffe & Szegedy 2015, section 4.1, Figure 1 (a)",
  did: `The network and the mini-batches of the paper's Figure 1, at rate ${training.rate}: steps to ${100 * target} % of ${settings.heldOut} held-out digits, looked at every ${training.look} steps.`,
  plans: [{ setting: training }],
  compare(find) {
    const steps = (normalized: boolean): readonly Outcome[] =>
      outcomes(find(training, normalized), training.steps, stepsToTarget);
    const [without, normalized] = [steps(false), steps(true)];
    return [
      {
        name: `steps to ${100 * target} %`,
        without,
        with: normalized,
        format: decimals(0),
        claimed: [{ larger: without, smaller: normalized }],
      },
    ];
  },
  yes: "With batch norm the network gets there in fewer steps.",
  no: "Batch norm did not clearly get there in fewer steps.",
  show: (find) =>
    figure(
      curvesOf(find, training, "held-out accuracy, %", ({ points }) => points.map((p) => [p.step, 100 * p.accuracy]), {
        min: 0,
        max: 100,
      }),
      "After Figure 1 (a) of the paper: the sooner a curve is up, the faster the network learns. The band is one standard deviation over the seeds.",
    ),
};
