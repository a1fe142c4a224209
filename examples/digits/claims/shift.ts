import { curvesOf } from "../charts.js";
import { percentileChart } from "../percentiles.js";
import { figure } from "../../../scripts/tools/page.js";
import { mean } from "../network/evaluate.js";
import { settings } from "../settings.js";
import type { Point, Result } from "../train.js";
import type { Outcomes } from "../verdict.js";
import { decimals, outcomes, type Claim } from "./claim.js";

/** How far the units' means moved between two looks, in their standard deviations; the mean over the units. */
function drift(before: Point, now: Point): number {
  const moved = now.means.map((value, u) => {
    const spread = (before.stds[u]! + now.stds[u]!) / 2;
    return spread > 0 ? Math.abs(value - before.means[u]!) / spread : 0;
  });
  return mean(moved);
}

/** Of every look but the first two: before the first step the running statistics have seen nothing. */
function drifts({ points }: Result): { step: number; drift: number }[] {
  return points.slice(2).map((point, i) => ({ step: point.step, drift: drift(points[i + 1]!, point) }));
}

const { look } = settings.shift;

export const shift: Claim = {
  name: "shift",
  title: "While the layers below learn, what enters a layer shifts (internal covariate shift); batch norm reduces it",
  who: "Ioffe & Szegedy 2015, sections 2 and 4.1, Figure 1",
  did: `The network and the mini-batches of the paper's Figure 1. Every ${look} steps: how far the mean of a unit's input has moved, in standard deviations of that input; the mean over the last hidden layer and all looks.`,
  plans: [{ setting: settings.shift }],
  compare(find) {
    // A diverged network counts as one whose units move by a whole standard deviation.
    const moved = (normalized: boolean): Outcomes =>
      outcomes(find(settings.shift, normalized), 1, (result) => ({
        value: mean(drifts(result).map((each) => each.drift)),
        word: null,
      }));
    const [without, normalized] = [moved(false), moved(true)];
    return [
      {
        name: `moved in ${look} steps`,
        without,
        with: normalized,
        format: decimals(3),
        claimed: [{ larger: without, smaller: normalized }],
      },
    ];
  },
  yes: "What a unit sees moves less from look to look with batch norm than without.",
  no: "By this measure, what a unit sees does not clearly move less with batch norm.",
  show: (find) =>
    figure(
      percentileChart(find(settings.shift, false)[0]!, find(settings.shift, true)[0]!),
      "After Figure 1 (b, c) of the paper: the 15th, 50th and 85th percentiles of what enters one unit of the last hidden layer, over held-out digits, with the first seed. Lines that stay where they are mean that the unit always sees the same distribution. How far they move counts in relation to how far they lie apart, which the next picture shows: lines close together that move a little have moved far. In the first looks with batch norm, the running statistics are still those of too few mini-batches.",
    ) +
    figure(
      curvesOf(find, settings.shift, "moved, standard deviations", (result) =>
        drifts(result).map((each) => [each.step, each.drift]),
      ),
      `How far the inputs of the last hidden layer moved since the look before. The band is one standard deviation over the seeds.`,
    ),
};
