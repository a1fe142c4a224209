// Masks and weights that are refused: the message, and nothing written.
import { describe, expect, test } from "vitest";
import { BatchNorm, batchNormTraining, batchNormMoments } from "../../src/index.js";
import { normals } from "../support/reference.js";
import { errorOf } from "../support/rejected.js";

const SHAPE = [4, 3, 5, 2];
const SIZE = 120;
const x = normals("float32", SIZE, 1);

describe("bad weights", () => {
  const cases: readonly [options: Record<string, unknown>, kind: string, code: string, message: string][] = [
    [{ mask: "all" }, "TypeError", "TYPE", '"mask" expected a Uint8Array or Float32Array, got "all"'],
    [
      { mask: new Int32Array(4) },
      "TypeError",
      "TYPE",
      '"mask" expected a Uint8Array or Float32Array, got an Int32Array',
    ],
    [{ mask: [1, 0, "1", 0] }, "TypeError", "TYPE", '"mask[2]" expected 0, 1 or a boolean, got "1"'],
    [{ mask: [1, 0, 2, 0] }, "RangeError", "VALUE", '"mask[2]" expected 0 or 1, got 2'],
    [{ mask: Uint8Array.of(1, 0, 255, 0) }, "RangeError", "VALUE", '"mask" expected 0 or 1, got 255'],
    [{ mask: Float32Array.of(1, 0, 0.5, 0) }, "RangeError", "VALUE", '"mask" expected 0 or 1, got 0.5'],
    [{ mask: new Uint8Array(5) }, "RangeError", "SHAPE", '"mask" expected length 4 (samples) or 40 (positions), got 5'],
    [
      { sampleWeights: new Float64Array(4) },
      "TypeError",
      "TYPE",
      '"sampleWeights" expected a Float32Array, got a Float64Array',
    ],
    [{ sampleWeights: [1, 1, "1", 1] }, "TypeError", "TYPE", '"sampleWeights[2]" expected a number, got "1"'],
    [{ sampleWeights: [1, 1, -1, 1] }, "RangeError", "VALUE", '"sampleWeights" expected finite numbers ≥ 0, got -1'],
    [
      { sampleWeights: new Float32Array(41) },
      "RangeError",
      "SHAPE",
      '"sampleWeights" expected length 4 (samples) or 40 (positions), got 41',
    ],
    ...[-1, NaN, Infinity].map(
      (bad) =>
        [
          { sampleWeights: Float32Array.of(1, bad, 1, 1) },
          "RangeError",
          "VALUE",
          `"sampleWeights" expected finite numbers ≥ 0, got ${bad}`,
        ] as [Record<string, unknown>, string, string, string],
    ),
    [{ maskedOutput: "skip" }, "RangeError", "VALUE", '"maskedOutput" expected one of "normalize", "zero", got "skip"'],
    [{ maskedOutput: 1 }, "TypeError", "TYPE", '"maskedOutput" expected a string, got 1'],
  ];

  test.each(cases)("%o", (options, kind, code, message) => {
    const bn = new BatchNorm(3);
    const state = bn.stateDict();
    const out = new Float32Array(SIZE).fill(7);
    const error = errorOf(() => bn.forward(x, SHAPE, { ...options, out } as object)) as Error & { code: string };
    expect([error.name, error.code, error.message]).toEqual([kind, `ERR_BATCHNORM_${code}`, message]);
    expect(out.every((value) => value === 7)).toBe(true);
    expect(bn.stateDict()).toEqual(state);
    expect(bn.saved).toBeNull();
  });

  test("a sum that float64 does not hold", () => {
    const huge = new Float64Array(4).fill(1e308);
    expect(() => batchNormMoments(new Float64Array(SIZE), SHAPE, { sampleWeights: huge })).toThrow(
      '"sampleWeights" expected a finite sum, got Infinity',
    );
  });

  test.each([1e-200, 1e151])("%s, whose square float64 does not hold", (weight) => {
    const sampleWeights = Float64Array.of(1, 0, weight, 1);
    const error = errorOf(() => batchNormMoments(new Float64Array(SIZE), SHAPE, { sampleWeights })) as Error;
    expect(error.message).toBe(`"sampleWeights[2]" expected 0 or a number from 1e-150 to 1e150, got ${weight}`);
  });

  test("null and undefined are none, and maskedOutput without weights changes nothing", () => {
    const plain = batchNormTraining(x, SHAPE).output;
    const none = { mask: null, sampleWeights: null, maskedOutput: "zero" } as const;
    expect(batchNormTraining(x, SHAPE, none).output).toEqual(plain);
  });

  test("getters in a mask run before any array is checked", () => {
    const calls: ((data: Float32Array, shape: number[], options: { mask: boolean[] }) => unknown)[] = [
      batchNormTraining,
      batchNormMoments,
    ];
    for (const call of calls) {
      const data = x.slice();
      const mask: boolean[] = [true, true, true, true];
      Object.defineProperty(mask, 1, {
        get() {
          structuredClone(data, { transfer: [data.buffer] });
          return true;
        },
      });
      expect(() => call(data, SHAPE, { mask })).toThrow('"x" has a detached buffer');
    }
  });
});
