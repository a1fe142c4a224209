import { curvesOf } from "../charts.js";
import { figure } from "../../../scripts/tools/page.js";
import { settings } from "../settings.js";
import type { Point } from "../train.js";
import type { Outcomes } from "../verdict.js";
import { accuracyComparison, outcomes, PERCENT, type Claim } from "./claim.js";

const setting = settings.regularization;
const gap = (point: Point): number => (point.trainingAccuracy ?? NaN) - point.accuracy;

export const regularization: Claim = {
  name: "regularization",
  title: "Batch norm regularizes: it works against overfitting",
  who: "Ioffe & Szegedy 2015, section 3.4",
  did: `${(setting.steps * setting.batch) / setting.digits} epochs on ${setting.digits} digits alone: the gap between training and held-out accuracy, and held-out accuracy.`,
  plans: [{ setting }],
  compare(find) {
    const gaps = (normalized: boolean): Outcomes =>
      outcomes(find(setting, normalized), 0, ({ points }) => ({ value: gap(points.at(-1)!), word: null }));
    const [without, normalized] = [gaps(false), gaps(true)];
    return [
      { name: "gap", without, with: normalized, format: PERCENT, claimed: [{ larger: without, smaller: normalized }] },
      accuracyComparison("held-out", find, setting, true),
    ];
  },
  yes: "With batch norm the network does better on digits that it has not seen, and loses less on the way to them.",
  no: "Here batch norm did not clearly narrow the gap, nor raise the held-out accuracy.",
  show: (find) =>
    figure(
      curvesOf(find, setting, "accuracy, %", ({ points }) => points.map((p) => [p.step, 100 * p.accuracy]), {
        min: 0,
        max: 100,
        dashed: ({ points }) => points.map((p) => [p.step, 100 * (p.trainingAccuracy ?? NaN)]),
      }),
      "Solid: held-out digits; dashed: training digits. The distance between a dashed curve and its solid one is what the network learnt by heart. Bands are one standard deviation over the seeds.",
    ),
};
