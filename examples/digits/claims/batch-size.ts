import { barsOf } from "../bars.js";
import { figure } from "../../../scripts/tools/page.js";
import { settings, type Setting } from "../settings.js";
import { accuracyComparison, finalAccuracies, type Claim } from "./claim.js";

const { training, sizes, seen } = settings.batchSize;
const USUAL = 128;
const [SMALLEST, LARGEST] = [sizes[0], sizes.at(-1)!];

/** As many digits for every size, and so fewer steps the larger the mini-batch is; one look, at the end. */
function of(batch: number): Setting {
  const steps = Math.floor(seen / batch);
  return { ...training, batch, steps, look: steps };
}

export const batchSize: Claim = {
  name: "batch-size",
  title: "A caution: the mini-batch must be neither too small nor too large (usual are 128 to 1024)",
  who: "The lecture; of small ones also Ioffe 2017",
  did: `${seen} digits, which is one epoch, in mini-batches of ${sizes.join(", ")}: held-out accuracy. The claim: at ${SMALLEST} batch norm is worse than none and than at ${USUAL}, and at ${LARGEST} worse than at ${USUAL}.`,
  plans: sizes.map((size) => ({ setting: of(size) })),
  compare: (find) =>
    sizes.map((size) => {
      const line = accuracyComparison(`batch of ${size}`, find, of(size), false);
      const usual = { larger: finalAccuracies(find(of(USUAL), true)), smaller: line.with };
      const none = { larger: line.without, smaller: line.with };
      return { ...line, claimed: size === SMALLEST ? [usual, none] : size === LARGEST ? [usual] : [] };
    }),
  yes: "Statistics of two digits are noise, and batch norm hurts; a very large mini-batch leaves too few steps in an epoch, for both networks.",
  no: "Neither end hurt clearly.",
  show: (_, comparisons) =>
    figure(
      barsOf(comparisons, "digits in a mini-batch", "held-out accuracy, %", { max: 100, scale: 100 }),
      `All see the same ${seen} digits, as far as whole mini-batches of them go, so a mini-batch of ${LARGEST} makes ${of(LARGEST).steps} steps and one of ${SMALLEST} makes ${of(SMALLEST).steps}. At the right end look for steps that are missing, at the left for statistics of so few digits that they are noise.`,
    ),
};
