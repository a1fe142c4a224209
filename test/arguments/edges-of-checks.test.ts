// Edges of the checks at which a change once passed all other tests: what `npm run mutate` found.
import { expect, test } from "vitest";
import { BatchNorm } from "../../src/index.js";
import { expectSameBits, normals } from "../support/reference.js";
import { ALIAS, OPTION, SHAPE, TYPE, expectRejected, range, type } from "../support/rejected.js";

const shape = [4, 3, 5];
const [x, dy, residual] = [1, 2, 3].map((seed) => normals("float32", 60, seed)) as [
  Float32Array,
  Float32Array,
  Float32Array,
];

test("accumulate takes a whole earlier result, and its arrays must not be residualOut", () => {
  const layer = new BatchNorm(3);
  layer.forward(x, shape, { residual });
  const earlier = layer.backward(dy);
  expect(earlier.gradResidual).toBeDefined();
  layer.forward(x, shape, { residual });
  const memory = new Float32Array(60);
  const accumulate = { gradWeight: memory.subarray(0, 3), gradBias: null };
  const expected = range(ALIAS, '"accumulate.gradWeight" overlaps "residualOut" partly');
  expectRejected(() => layer.backward(dy, { accumulate, residualOut: memory }), [layer, memory], expected);
  const { gradWeight } = layer.backward(dy, { accumulate: earlier });
  expect(gradWeight).toBe(earlier.gradWeight);
});

test("a bad residual is named", () => {
  const layer = new BatchNorm(3);
  const bad = { data: residual, shape: 7 } as never;
  expectRejected(
    () => layer.forward(x, shape, { residual: bad }),
    [layer],
    type(TYPE, '"residual.shape" expected an array of sizes, got 7'),
  );
  const other = { data: residual, shape: [3, 4, 5] };
  const expected = range(SHAPE, '"residual" expected shape [4, 3, 5], got [3, 4, 5]');
  expectRejected(() => layer.forward(x, shape, { residual: other }), [layer], expected);
});

test.each(["running", "skip"] as const)('singleValue "%s" needs running statistics', (singleValue) => {
  const expected = range(OPTION, `"singleValue" "${singleValue}" needs "trackRunningStats"`);
  expectRejected(() => new BatchNorm(3, { trackRunningStats: false, singleValue }), [], expected);
});

test("a leaky ReLU of slope 0 is ReLU, the least slope is allowed, and an array is no activation", () => {
  const outputOf = (activation: never): Float32Array => new BatchNorm(3, { activation }).forward(x, shape);
  expectSameBits(outputOf({ type: "leaky-relu", slope: 0 } as never), outputOf("relu" as never));
  expect(outputOf({ type: "leaky-relu", slope: 1e-30 } as never).some((value) => value < 0)).toBe(true);
  const save = { save: "output" } as const;
  const layer = new BatchNorm(3, { activation: { type: "leaky-relu", slope: 0 } });
  const expected = range(OPTION, '"save" "output" needs an activation that can be undone, got "relu"');
  expectRejected(() => layer.forward(x, shape, save), [layer], expected);
  expect(() => new BatchNorm(3, { activation: new Float32Array(1) as never })).toThrow(
    /^"activation" expected a string/,
  );
});
