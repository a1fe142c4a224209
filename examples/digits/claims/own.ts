// A training of the reader's own, in place of a claim.
import { curvesOf } from "../charts.js";
import { figure } from "../../../scripts/tools/page.js";
import type { Setting } from "../settings.js";
import { accuracyComparison, type Claim } from "./claim.js";

export function own(setting: Setting): Claim {
  const { activation, rate, batch, steps, initialStd } = setting;
  const std = initialStd === null ? "1/√inputs" : `${initialStd}`;
  return {
    name: "train",
    title: "A training of your own",
    who: "You",
    did: `${steps} steps of ${batch} digits at rate ${rate}, ${activation}, initial weights of standard deviation ${std}: held-out accuracy. The line says whether batch norm did better.`,
    plans: [{ setting }],
    compare: (find) => [accuracyComparison("accuracy", find, setting, true)],
    yes: "With batch norm the network did better.",
    no: "With batch norm the network did not clearly do better.",
    show: (find) =>
      figure(
        curvesOf(find, setting, "held-out accuracy, %", ({ points }) => points.map((p) => [p.step, 100 * p.accuracy]), {
          min: 0,
          max: 100,
        }),
        "Held-out accuracy over the steps. The band is one standard deviation over the seeds.",
      ),
  };
}
