// The shapes and tensors that are timed: that they are what they say, and that every backend gives the oracle's bits
// on the small ones. The benchmark checks the large ones before it times them.
import { backends } from "batchnorm";
import { describe, expect, test } from "vitest";
import { checkBits } from "../../bench/measure/check.js";
import { works } from "../../bench/plan.js";
import { MEMORIES, VARIANTS } from "../../bench/selection.js";
import { makeTensors, type Occasion } from "../../bench/measure/tensors.js";
import { extentOf, layoutsOf, lengthOf, shapeIn, shapes } from "../../bench/shapes.js";
import { DATA } from "../../bench/timed-data.js";

const SMALL = 2 ** 20;
const small = shapes.filter((shape) => lengthOf(shape) <= SMALL);
const DTYPES = ["float32", "float64"] as const;
const settings = small.flatMap((shape) =>
  layoutsOf(shape).flatMap((layout) =>
    DTYPES.flatMap((dtype) => {
      const common = { shape, layout, dtype, contenders: [{ memory: "arena" as const }] };
      return [
        ...DATA.map((data): Occasion => ({ ...common, data, variant: "plain" })),
        ...VARIANTS.slice(1).map((variant): Occasion => ({ ...common, data: "gaussian", variant })),
      ];
    }),
  ),
);
const tensorsOf = makeTensors(settings);

test("thirteen shapes; the layout moves the channels and no element", () => {
  expect(shapes.map(({ name }) => name).join("")).toBe("ABCDEFGHIJKLM");
  expect(small.map(({ name }) => name).join("")).toBe("CDFGJKM");
  for (const shape of shapes) {
    for (const layout of layoutsOf(shape)) {
      const { outer, channels, inner } = extentOf(shape, layout);
      expect(outer * channels * inner).toBe(lengthOf(shape));
      const sizes = shapeIn(shape, layout);
      expect(sizes.at(layout === "channels-first" ? 1 : -1)).toBe(channels);
      expect([...sizes].sort()).toEqual([...shape.shape].sort());
    }
  }
});

test("an arena holds x, dy and out, and the same values", () => {
  const { x, dy, arena } = tensorsOf(settings[0]!);
  expect(new Set([arena!.x.buffer, arena!.dy.buffer, arena!.out.buffer]).size).toBe(1);
  expect(arena!.x.buffer).not.toBe(x.buffer);
  expect(arena).toMatchObject({ x, dy });
  expect(makeTensors([{ ...settings[0]!, contenders: [] }])({ ...settings[0]!, contenders: [] }).arena).toBeNull();
});

describe.each(settings)("$shape.name $layout $dtype $data $variant", (setting) => {
  test("has the data it says", () => {
    const { x, dy } = tensorsOf(setting);
    const before = x.slice();
    tensorsOf(setting);
    expect(Buffer.from(before.buffer).equals(Buffer.from(x.slice().buffer)), "the same every time").toBe(true);
    expect(x.every(Number.isFinite) && dy.every(Number.isFinite)).toBe(true);
    const zeros = x.filter((value) => value === 0).length / x.length;
    if (setting.data === "relu") expect(zeros).toBeGreaterThan(0.2);
    else expect(zeros).toBe(0);
  });

  // One test for all backends: the oracle computes its results once.
  test("every backend gives the oracle's bits", () => {
    const { operations } = setting.shape;
    const contenders = backends()
      .filter((backend) => works(backend) && backend.name !== "oracle")
      .flatMap(({ name: backend }) =>
        (backend === "wasm" ? MEMORIES : (["ordinary"] as const)).map((memory) => ({ backend, memory })),
      )
      .map((contender) => ({ ...contender, threads: 1, brief: true }));
    const used = checkBits(setting, tensorsOf(setting), contenders, operations, () => "oracle");
    const expected = operations.flatMap((operation) => contenders.map((contender) => ({ operation, contender })));
    expect(used.map(({ operation, contender }) => ({ operation, contender }))).toEqual(expected);
  });
});
