// Lists of absurd lengths are refused before they are read: reading one takes minutes, or all memory.
import { expect, test } from "vitest";
import { BatchNorm, batchNormBackward, batchNormTraining, type Saved } from "../../src/index.js";
import { normals } from "../support/reference.js";
import { expectRejected, range, SHAPE, type, TYPE, VALUE, type Rejection } from "../support/rejected.js";

const LONG: number[] = [];
LONG.length = 2 ** 32 - 1;
const GOOD = [4, 3, 2];
const x = normals("float32", 24, 1);
const saved = (fields: object): Saved<"float32"> => ({ ...batchNormTraining(x, GOOD).saved, ...fields });

/** An Array that says another length. */
const lying = (length: unknown): never =>
  new Proxy([1, 1, 1], {
    get: (list, key) => (key === "length" ? length : Reflect.get(list, key)) as unknown,
  }) as never;
const LENGTH = "expected a non-negative integer, got";

const CASES: readonly (readonly [() => unknown, Rejection])[] = [
  [() => new BatchNorm(3).forward(x, LONG), range(SHAPE, '"shape" expected at most 64 sizes, got 4294967295')],
  [
    () => new BatchNorm(3).forward({ data: x, shape: LONG }),
    range(SHAPE, '"x.shape" expected at most 64 sizes, got 4294967295'),
  ],
  [
    () => new BatchNorm(3).forward({ data: x, dims: new Int32Array(1e6) }),
    range(SHAPE, '"x.dims" expected at most 64 sizes, got 1000000'),
  ],
  [() => new BatchNorm(3, { axis: LONG }), range(VALUE, '"axis" expected at most 64 axes, got 4294967295')],
  [
    () => new BatchNorm(3).forward(x, GOOD, { mask: LONG as (0 | 1)[] }),
    range(SHAPE, '"mask" expected at most as many values as x has, 24, got 4294967295'),
  ],
  [
    () => new BatchNorm(3).forward(x, GOOD, { sampleWeights: LONG }),
    range(SHAPE, '"sampleWeights" expected at most as many values as x has, 24, got 4294967295'),
  ],
  [() => new BatchNorm(3).forward(x, GOOD, { mask: lying(-1) }), range(VALUE, `"mask.length" ${LENGTH} -1`)],
  [
    () => new BatchNorm(3).forward(x, GOOD, { sampleWeights: lying(0.5) }),
    range(VALUE, `"sampleWeights.length" ${LENGTH} 0.5`),
  ],
  [() => new BatchNorm(3).forward(x, lying(NaN)), range(VALUE, `"shape.length" ${LENGTH} NaN`)],
  [() => new BatchNorm(3, { axis: lying(-1) }), range(VALUE, `"axis.length" ${LENGTH} -1`)],
  [
    () => new BatchNorm(3).loadStateDict({ ...new BatchNorm(3).stateDict(), bias: lying(Symbol("3")) }),
    type(TYPE, '"bias.length" expected a number, got a symbol'),
  ],
  [() => batchNormBackward(x, saved({ memory: lying(-1) })), range(VALUE, `"saved.memory.length" ${LENGTH} -1`)],
  [
    () => batchNormBackward(x, saved({ shape: LONG })),
    range(SHAPE, '"saved.shape" expected at most 64 sizes, got 4294967295'),
  ],
];

test.each(CASES)("%#", (call, expected) => {
  expectRejected(call, [x], expected);
});

test("strides are read as far as there are axes", () => {
  const call = (): unknown => new BatchNorm(3).forward({ data: x, shape: GOOD, strides: LONG } as never);
  expectRejected(call, [x], type(TYPE, '"x.strides[0]" expected a number, got undefined'));
});

test("64 axes are a shape", () => {
  const ones = Array.from({ length: 62 }, () => 1);
  expect(new BatchNorm(3).forward(x, [8, 3, ...ones])).toEqual(new BatchNorm(3).forward(x, [8, 3]));
});

test("what an engine cannot allocate has a code", () => {
  const expected = { name: "RangeError", code: "ERR_BATCHNORM_MEMORY" };
  expect(() => new BatchNorm(2 ** 50)).toThrow(expect.objectContaining(expected));
});
