import { barsOf } from "../bars.js";
import { figure } from "../../../scripts/tools/page.js";
import { settings } from "../settings.js";
import type { Outcomes } from "../verdict.js";
import { decimals, outcomes, type Claim, type Find } from "./claim.js";

const { training, sizes, draws, reference } = settings.miniBatch;

function cosines(find: Find, size: number, normalized: boolean): Outcomes {
  const index = sizes.findIndex((each) => each === size);
  return outcomes(find(training, normalized), 0, ({ probed }) => ({ value: probed.gradients![index]!, word: null }));
}

export const miniBatch: Claim = {
  name: "mini-batch",
  title: "The gradient of a mini-batch estimates that of the whole training set, and a larger one does it better",
  who: "Ioffe & Szegedy 2015, section 1",
  did: `After ${training.steps} steps, the gradient of mini-batches is compared with that of ${reference} digits: the cosine of the angle between the two, ${draws} mini-batches of each size. 1 is the same direction.`,
  plans: [{ setting: training, probes: ["gradients"] }],
  compare: (find) =>
    sizes.map((size, i) => {
      const [without, normalized] = [cosines(find, size, false), cosines(find, size, true)];
      const before = sizes[i - 1];
      return {
        name: `${size} digits`,
        without,
        with: normalized,
        format: decimals(2),
        claimed:
          before === undefined
            ? []
            : [
                { larger: without, smaller: cosines(find, before, false) },
                { larger: normalized, smaller: cosines(find, before, true) },
              ],
      };
    }),
  yes: "A few digits already point roughly the right way, and each larger mini-batch points better.",
  no: "A larger mini-batch did not point clearly better.",
  show: (_, comparisons) =>
    figure(
      barsOf(comparisons, "digits in a mini-batch", "cosine", { max: 1 }),
      "The higher the bar, the more the mini-batch's gradient points where that of many digits does. With batch norm, the few digits of a small mini-batch also choose the mean and variance that they are normalized by.",
    ),
};
