import { barsOf } from "../bars.js";
import { figure } from "../../../scripts/tools/page.js";
import { settings, type Setting } from "../settings.js";
import { accuracyComparison, type Claim } from "./claim.js";

const { training, rates } = settings.rate;
const at = (rate: number): Setting => ({ ...training, rate });

export const rate: Claim = {
  name: "rate",
  title: "Batch norm bears larger learning rates",
  who: "Ioffe & Szegedy 2015, section 3.3",
  did: `${training.steps} steps at rates ${rates.join(", ")}: held-out accuracy. The claim speaks of the rates above ${rates[0]}.`,
  plans: rates.map((each) => ({ setting: at(each) })),
  compare: (find) => rates.map((each, i) => accuracyComparison(`rate ${each}`, find, at(each), i > 0)),
  yes: "At rates at which the network without batch norm fails or falls behind, the one with it learns.",
  no: "At the larger rates batch norm did not clearly do better.",
  show: (_, comparisons) =>
    figure(
      barsOf(comparisons, "learning rate", "held-out accuracy, %", { max: 100, scale: 100 }),
      "Where a bar says “diverged”, values grew beyond all bounds; “at chance” means that the network names about one digit in ten rightly, as a guess would. Both are drawn as they count, at about 10 %. Whiskers are one standard deviation over the seeds.",
    ),
};
