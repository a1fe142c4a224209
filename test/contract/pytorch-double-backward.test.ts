// PyTorch's double backward (scripts/torch/double_backward.py) beside the library's.
import { afterAll, expect, test } from "vitest";
import { batchNormDoubleBackward } from "../../src/index.js";
import { forwardOf, solveDouble } from "../support/double-backward.js";
import { distance, lastPlace, magnitude, Worst } from "../vectors/compare.js";
import { expected, index, nameOf, problemOf } from "../vectors/double-backward.js";

const RESULTS = ["gradInput", "gradWeight", "gradGradOutput"] as const;

/** Allowed differences, in units in the last place of the largest magnitude of the array. */
const ALLOWED = 32;

const worst = new Worst();

test("the vectors are whole", () => {
  expect(index.sha256).toBe(index.provenance.sha256);
  expect(index.cases.length).toBeGreaterThanOrEqual(60);
});

test.each(index.cases.map((one, i) => ({ name: nameOf(one), one, torch: expected[i]! })))("$name", ({ one, torch }) => {
  const problem = problemOf(one);
  const { saved, output } = forwardOf(problem);
  const given = Object.fromEntries(Object.entries(problem.given).filter(([name]) => one.given.includes(name as never)));
  const ours = batchNormDoubleBackward(saved, problem.dy, given);
  const { solution } = solveDouble(problem, output);
  for (const name of RESULTS) {
    const unit = lastPlace(magnitude(solution[name]), one.dtype) || Number.MIN_VALUE;
    const units = (other: Float64Array): number => distance(ours[name]!, other) / unit;
    expect(worst.note(`${name} from float64`, units(solution[name])), name).toBeLessThanOrEqual(ALLOWED);
    expect(worst.note(`${name} from PyTorch`, units(torch[name])), name).toBeLessThanOrEqual(ALLOWED);
  }
});

afterAll(() => {
  const { torch, capability } = index.provenance;
  console.log(`PyTorch ${torch} (${capability}), worst in units in the last place:\n${worst.toString()}`);
});
