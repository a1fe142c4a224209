// PyTorch's batch normalization behind ReLU and leaky ReLU (scripts/torch/activations.py) beside the library's.
import { afterAll, expect, test } from "vitest";
import { batchNormBackward, batchNormInference, batchNormTraining, type Save } from "../../src/index.js";
import type { Floats } from "../../src/base/types.js";
import { drawn, nextResults, type ActivationCase } from "../vectors/activation-cases.js";
import { distance, lastPlace, magnitude, Worst } from "../vectors/compare.js";
import { readVectors } from "../vectors/read.js";

interface RectifierCase extends ActivationCase {
  /** 0: ReLU. */
  readonly slope: number;
  readonly residual: boolean;
}

const index = readVectors<RectifierCase>("activations");

/** Allowed differences, in units in the last place of the largest magnitude of the array. */
const ALLOWED = 32;

const worst = new Worst();

const expected = index.cases.map((one) => nextResults(index, one, one.residual));

function solve(one: RectifierCase, save: Save): Record<string, Floats> {
  const { shape, layout, training, slope } = one;
  const { x, dy, running, elements, table } = drawn(one);
  const options = {
    layout,
    weight: table(2, (u, c) => (c % 3 === 1 ? -1 : 1) * (0.5 + u)),
    bias: table(3, (u) => u - 0.5),
    activation: slope === 0 ? ("relu" as const) : { type: "leaky-relu" as const, slope },
    ...(one.residual ? { residual: elements(6, (z) => z), save: save === true } : { save }),
  };
  const { output, saved } = training
    ? batchNormTraining(x, shape, options)
    : batchNormInference(x, shape, { ...options, ...running });
  return { y: output, ...batchNormBackward(dy, saved!) } as unknown as Record<string, Floats>;
}

test("the vectors are whole", () => {
  expect(index.sha256).toBe(index.provenance.sha256);
  expect(index.cases.length).toBeGreaterThanOrEqual(160);
});

const named = index.cases.map((one, i) => {
  const { shape, layout, dtype, training, slope, residual } = one;
  const mode = `${training ? "training" : "inference"}, slope ${slope}${residual ? ", residual" : ""}`;
  return { name: `${shape.join("×")} ${layout} ${dtype} ${mode}`, one, torch: expected[i]! };
});

test.each(named)("$name", ({ one, torch }) => {
  // What can be undone is taken back through its output too.
  const saves: Save[] = one.slope > 0 && !one.residual ? [true, "output"] : [true];
  for (const save of saves) {
    const ours = solve(one, save);
    for (const [name, want] of Object.entries(torch)) {
      const units = distance(ours[name]!, want) / lastPlace(magnitude(want), one.dtype);
      expect(worst.note(`${name}, save ${save}`, units), name).toBeLessThanOrEqual(ALLOWED);
    }
  }
});

afterAll(() => {
  const { torch, capability } = index.provenance;
  console.log(`PyTorch ${torch} (${capability}), worst in units in the last place:\n${worst.toString()}`);
});
