import { table } from "../../../scripts/tools/page.js";
import type { AlgorithmOne } from "../probes.js";
import { settings } from "../settings.js";
import { outcomes, type Claim } from "./claim.js";

const setting = settings.algorithm;

function numbers({ x, mean, variance, weight, bias, normalized, y }: NonNullable<AlgorithmOne["unit"]>): string {
  const line = (name: string, values: readonly number[]): string[] => [name, values.map((v) => v.toFixed(3)).join("   ")];
  return table({
    head: ["line of Algorithm 1", `one unit, a mini-batch of ${setting.batch}, its first ${x.length} digits`],
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
    const [without, normalized] = [false, true].map((each) =>
      outcomes(find(setting, each), 1, ({ probed }) => ({ value: probed.algorithm!.deviation, word: null })),
    ) as [ReturnType<typeof outcomes>, ReturnType<typeof outcomes>];
    return [
      {
        name: "distance",
        without,
        with: normalized,
        format: (value) => value.toFixed(4),
        claimed: [{ larger: without, smaller: normalized }],
      },
    ];
  },
  yes: "Normalized inputs have mean 0 and standard deviation 1 but for ε; without batch norm they have what the weights give.",
  no: "The normalized inputs were not clearly nearer to mean 0 and standard deviation 1.",
  show(find) {
    const unit = find(setting, true)[0]?.probed.algorithm?.unit;
    return unit ? numbers(unit) : "";
  },
};
