// Conventions of other frameworks: their formulas for the running statistics, written out, and the way from one to another.
import { expect, test, describe } from "vitest";
import { BatchNorm, type Convention } from "../../src/index.js";
import { random } from "../../src/verify/data.js";
import { OPTION, TYPE, VALUE, expectRejected, range, type } from "../support/rejected.js";

const ROWS = 6;
const CHANNELS = 3;
const next = random(3);
const batches = [1, 2, 3].map(() => Float64Array.from({ length: ROWS * CHANNELS }, () => 2 * next() + 1));

interface Statistics {
  readonly mean: number[];
  readonly variance: number[];
}

/** Mean and sum of squares of every channel, by the textbook. */
function momentsOf(x: Float64Array): { mean: number[]; squares: number[] } {
  const channel = (c: number): number[] => Array.from({ length: ROWS }, (_, i) => x[i * CHANNELS + c]!);
  const mean = [0, 1, 2].map((c) => channel(c).reduce((sum, value) => sum + value) / ROWS);
  const squares = [0, 1, 2].map((c) => channel(c).reduce((sum, value) => sum + (value - mean[c]!) ** 2, 0));
  return { mean, squares };
}

/** moving = moving·momentum + batch·(1 − momentum), as Keras, TensorFlow and ONNX write it. */
function moved(momentum: number, divisor: number): Statistics {
  const state = { mean: [0, 0, 0], variance: [1, 1, 1] };
  for (const x of batches) {
    const { mean, squares } = momentsOf(x);
    mean.forEach((value, c) => {
      state.mean[c] = state.mean[c]! * momentum + value * (1 - momentum);
      state.variance[c] = state.variance[c]! * momentum + (squares[c]! / divisor) * (1 - momentum);
    });
  }
  return state;
}

function expectStatistics(bn: BatchNorm<"float64">, { mean, variance }: Statistics): void {
  mean.forEach((value, c) => expect(bn.runningMean![c]).toBeCloseTo(value, 12));
  variance.forEach((value, c) => expect(bn.runningVar![c]).toBeCloseTo(value, 12));
}

function trained(bn: BatchNorm<"float64">): BatchNorm<"float64"> {
  for (const x of batches) bn.forward(x, [ROWS, CHANNELS]);
  return bn;
}

const layer = (convention: Convention, options = {}): BatchNorm<"float64"> =>
  new BatchNorm(CHANNELS, { dtype: "float64", convention, ...options });

describe("the running statistics after three batches are those of the formula", () => {
  test.each([
    ["torch", 0.9, ROWS - 1],
    ["keras", 0.99, ROWS],
    ["tf-fused", 0.99, ROWS - 1],
    ["onnx", 0.9, ROWS],
  ] as const)("%s: weight of the old %d, divided by %d", (convention, momentum, divisor) => {
    expectStatistics(trained(layer(convention)), moved(momentum, divisor));
  });

  test.each(["keras", "tf-fused", "onnx"] as const)("%s with options of its own", (convention) => {
    const bn = layer(convention, { momentum: 0.75, correction: 1 });
    expectStatistics(trained(bn), moved(0.75, ROWS - 1));
    expect(bn.momentum).toBe(0.75);
  });

  test("correction alone", () => {
    expectStatistics(trained(layer("torch", { correction: 0 })), moved(0.9, ROWS));
  });

  test("decay is the weight of the old in every convention", () => {
    for (const convention of ["torch", "keras"] as const)
      expectStatistics(trained(layer(convention, { decay: 0.75, correction: 0 })), moved(0.75, ROWS));
    expect(layer("keras", { decay: 0.75 }).momentum).toBe(0.75);
    expect(layer("torch", { decay: 0.75 }).momentum).toBe(0.25);
  });
});

test("defaults: eps, layout and singleValue", () => {
  expect(layer("keras").eps).toBe(1e-3);
  expect(layer("tf-fused").eps).toBe(1e-3);
  expect(layer("onnx").eps).toBe(1e-5);
  expect(layer("keras", { eps: 0.5 }).eps).toBe(0.5);
  const x = new Float64Array(2 * 4 * CHANNELS);
  expect(() => layer("keras").forward(x, [2, 4, CHANNELS])).not.toThrow();
  expect(() => layer("onnx").forward(x, [2, CHANNELS, 4])).not.toThrow();
  expect(() => layer("keras", { layout: "channels-first" }).forward(x, [2, CHANNELS, 4])).not.toThrow();
  expect(() => layer("keras", { axis: 1 }).forward(x, [2, CHANNELS, 4])).not.toThrow();
  expect(() => layer("onnx").forward(new Float64Array(CHANNELS), [1, CHANNELS])).not.toThrow();
  expect(() => layer("onnx", { singleValue: "error" }).forward(new Float64Array(CHANNELS), [1, CHANNELS])).toThrow();
  expect(String(layer("keras", { backend: "oracle" }))).toBe(
    "BatchNorm(3, eps=0.001, momentum=0.99, convention=keras, dtype=float64, oracle)",
  );
});

describe("convert", () => {
  const x = batches[0]!;

  test("an equal layer: the same outputs and statistics from then on, bit for bit", () => {
    for (const [from, to] of [
      ["torch", "tf-fused"],
      ["tf-fused", "torch"],
      ["keras", "onnx"],
      ["onnx", "torch"],
    ] as const) {
      const bn = trained(layer(from, { momentum: 0.875, layout: "channels-first" }));
      bn.frozen = to === "onnx";
      const correction = to === "torch" ? ({ correction: from === "onnx" ? 0 : 1 } as const) : undefined;
      const other = bn.convert(to, correction);
      expect(other.momentum).toBe(from === "torch" || to === "torch" ? 0.125 : 0.875);
      expect(other.forward(x, [ROWS, CHANNELS])).toEqual(bn.forward(x, [ROWS, CHANNELS]));
      expect(other.stateDict()).toEqual(bn.stateDict());
      expect([other.eps, other.frozen, other.training]).toEqual([bn.eps, bn.frozen, bn.training]);
    }
  });

  test("and back again: the same momentum", () => {
    for (const momentum of [0, 0.01, 0.1, 0.5, 1]) {
      const bn = layer("torch", { momentum });
      const back = bn.convert("keras", { correction: 1 }).convert("torch");
      expect(Math.abs((back.momentum as number) - momentum)).toBeLessThan(2 ** -53);
    }
    const schedule = layer("torch", { momentum: (batch: number) => 1 / batch }).convert("tf-fused");
    expect((schedule.momentum as (batch: number) => number)(4)).toBe(0.75);
  });

  test("what has no equal is refused by its name", () => {
    const refused = (options: object, to: Convention, message: string): void => {
      const bn = layer("torch", options);
      expectRejected(() => bn.convert(to), [], range(OPTION, message));
    };
    const none = (what: string, to: Convention): string => `${what} has no equal in the convention "${to}": `;
    refused(
      { momentum: null },
      "keras",
      `${none('"momentum" null', "keras")}it has no mean over all batches; assign a number first`,
    );
    refused(
      { singleValue: "skip" },
      "onnx",
      `${none('"singleValue" "skip"', "onnx")}it normalizes one value per channel with itself`,
    );
    refused(
      {},
      "keras",
      `${none('"correction" 1', "keras")}of m values, the sum of squares is divided by m - 1 here and by m there, which is a ` +
        `factor of 2 where m is 2; pass "correction" to say which of them to go on with`,
    );
    expect(() => layer("torch", { correction: 0 }).convert("keras")).not.toThrow();
    expect(() => layer("torch", { momentum: null }).convert("torch")).not.toThrow();
  });
});

test("bad options", () => {
  const make = (options: object) => () => new BatchNorm(3, options);
  const rejected = (options: object, error: Parameters<typeof expectRejected>[2]): void =>
    expectRejected(make(options), [], error);
  rejected(
    { convention: "tensorflow" },
    range(VALUE, `"convention" expected one of "torch", "keras", "tf-fused", "onnx", got "tensorflow"`),
  );
  rejected({ correction: 2 }, range(VALUE, '"correction" expected 0 or 1, got 2'));
  rejected({ correction: true }, type(TYPE, '"correction" expected a number, got true'));
  rejected(
    { onNonFinite: "ignore" },
    range(VALUE, '"onNonFinite" expected one of "propagate", "skip", "throw", got "ignore"'),
  );
  rejected({ convention: "keras", momentum: 1.5 }, range(VALUE, '"momentum" expected a number in [0, 1], got 1.5'));
  rejected({ momentum: "0.1" }, type(TYPE, '"momentum" expected a number, a function or null, got "0.1"'));
  expectRejected(
    () => new BatchNorm(3).convert("mxnet" as Convention),
    [],
    range(VALUE, `"convention" expected one of "torch", "keras", "tf-fused", "onnx", got "mxnet"`),
  );
});
