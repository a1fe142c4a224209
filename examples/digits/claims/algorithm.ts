import { table } from "../../../scripts/tools/page.js";
import type { AlgorithmOne } from "../probes.js";
import { settings } from "../settings.js";
import type { Outcomes } from "../verdict.js";
import { decimals, outcomes, type Claim } from "./claim.js";

const setting = settings.algorithm;

function numbers({ x, mean, variance, weight, bias, normalized, y }: NonNullable<AlgorithmOne["unit"]>): string {
  const line = (name: string, values: readonly number[]): string[] => [
    name,
    ...x.map((_, i) => values[i]?.toFixed(3) ?? ""),
  ];
  return table({
    head: ["line of Algorithm 1", ...x.map((_, i) => `digit ${i + 1}`)],
    rows: [
      line("x: what enters", x),
      line("μ: the mean of all x", [mean]),
      line("σ²: the variance of all x", [variance]),
      line("x̂ = (x − μ) / √(σ² + ε)", normalized),
      line("γ, β: learnt", [weight, bias]),
      line("y = γ·x̂ + β", y),
    ],
  });
}

export const algorithm: Claim = {
  name: "algorithm",
  title: "Over a mini-batch every unit gets mean 0 and variance 1, and then a scale γ and a shift β that are learnt",
  who: "Ioffe & Szegedy 2015, Algorithm 1",
  did: `After ${setting.steps} steps, a mini-batch goes through the network: how far the last hidden layer's inputs, before γ and β, are from mean 0 and standard deviation 1 (the sum of both distances).`,
  plans: [{ setting, probes: ["algorithm"] }],
  compare(find) {
    const distances = (normalized: boolean): Outcomes =>
      outcomes(find(setting, normalized), 1, ({ probed }) => ({ value: probed.algorithm!.deviation, word: null }));
    const [without, normalized] = [distances(false), distances(true)];
    return [
      {
        name: "distance",
        without,
        with: normalized,
        format: decimals(5),
        claimed: [{ larger: without, smaller: normalized }],
      },
    ];
  },
  yes: "Normalized inputs have mean 0 and standard deviation 1 but for ε; without batch norm they have what the weights give.",
  no: "The normalized inputs were not clearly nearer to mean 0 and standard deviation 1.",
  show(find) {
    const unit = find(setting, true)[0]?.probed.algorithm?.unit;
    return unit
      ? `<p>One unit, and the first ${unit.x.length} of the ${setting.batch} digits of a mini-batch:</p>${numbers(unit)}`
      : "";
  },
};
