// PyTorch's batch normalization behind ReLU and leaky ReLU (scripts/torch/activations.py) beside the library's.
import { afterAll, expect, test } from "vitest";
import { batchNormBackward, batchNormInference, batchNormTraining, type Layout, type Save } from "../../src/index.js";
import { allocate, type FloatType, type Floats } from "../../src/base/types.js";
import { gaussian, random } from "../../src/verify/data.js";
import { sizeOf } from "../support/reference.js";
import { distance, lastPlace, magnitude, Worst } from "../vectors/compare.js";
import { readVectors } from "../vectors/read.js";

interface ActivationCase {
  /** In memory order: channels-last puts the channels last. */
  readonly shape: readonly number[];
  readonly layout: Layout;
  readonly dtype: FloatType;
  readonly training: boolean;
  /** 0: ReLU. */
  readonly slope: number;
  readonly residual: boolean;
  readonly seed: number;
}

const index = readVectors<ActivationCase>("activations");

/** Allowed differences, in units in the last place of the largest magnitude of the array. */
const ALLOWED = 32;

const worst = new Worst();

const channelsOf = ({ shape, layout }: ActivationCase): number =>
  shape[layout === "channels-last" ? shape.length - 1 : 1]!;

const expected = index.cases.map((one) => {
  const size = sizeOf(one.shape);
  const read = (length: number): Floats => index.next(one.dtype, length);
  const [y, gradInput] = [read(size), read(size)];
  const [gradWeight, gradBias] = [read(channelsOf(one)), read(channelsOf(one))];
  return { y, gradInput, gradWeight, gradBias, ...(one.residual && { gradResidual: read(size) }) };
});

function solve(one: ActivationCase, save: Save): Record<string, Floats> {
  const { shape, layout, dtype, training, slope, seed } = one;
  const channels = channelsOf(one);
  const inner = layout === "channels-last" ? 1 : sizeOf(shape.slice(2));
  const fill = (next: () => number, length: number, value: (drawn: number, i: number) => number): Floats =>
    allocate(dtype, length).map((_, i) => value(next(), i));
  const elements = (offset: number, value: (z: number, i: number) => number): Floats =>
    fill(gaussian(random(seed + offset)), sizeOf(shape), value);
  const table = (offset: number, value: (u: number, c: number) => number): Floats =>
    fill(random(seed + offset), channels, value);
  const x = elements(0, (z, i) => 2 + z * 2 ** ((Math.floor(i / inner) % channels) % 3));
  const dy = elements(1, (z) => z + 0.25);
  const options = {
    layout,
    weight: table(2, (u, c) => (c % 3 === 1 ? -1 : 1) * (0.5 + u)),
    bias: table(3, (u) => u - 0.5),
    activation: slope === 0 ? ("relu" as const) : { type: "leaky-relu" as const, slope },
    ...(one.residual ? { residual: elements(6, (z) => z), save: save === true } : { save }),
  };
  const running = { runningMean: table(4, (u) => 2 + u), runningVar: table(5, (u) => 0.25 + u) };
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
