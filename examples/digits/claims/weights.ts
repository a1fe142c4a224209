import { barsOf } from "../bars.js";
import { figure } from "../../../scripts/tools/page.js";
import { settings, type Setting } from "../settings.js";
import { accuracyComparison, type Claim } from "./claim.js";

const { training, stds } = settings.weights;
/** Near 1/√inputs of these layers, which are 0.036 and 0.1: no bad choice. */
const GOOD = 0.05;
const at = (initialStd: number): Setting => ({ ...training, initialStd });

export const weights: Claim = {
  name: "weights",
  title: "Batch norm forgives bad initial weights",
  who: "Ioffe & Szegedy 2015, abstract and section 1",
  did: `${training.steps} steps from Gaussian weights of standard deviation ${stds.join(", ")}: held-out accuracy. The claim speaks of all but ${GOOD}, which is a good choice.`,
  plans: stds.map((each) => ({ setting: at(each) })),
  compare: (find) => stds.map((each) => accuracyComparison(`σ = ${each}`, find, at(each), each !== GOOD)),
  yes: "From weights that are far too small or too large, the network with batch norm learns more.",
  no: "From bad weights batch norm did not clearly do better.",
  show: (_, comparisons) =>
    figure(
      barsOf(comparisons, "standard deviation of the initial weights", "held-out accuracy, %", {
        max: 100,
        scale: 100,
      }),
      "Normalization takes out how large a layer's weights are. What remains of it is in the gradients: the larger the weights, the less a step turns them.",
    ),
};
