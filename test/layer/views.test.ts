// Views of npm's ndarray: every call takes them as it takes a contiguous copy of them.
import ndarray, { type NdArray } from "ndarray";
import { describe, expect, test } from "vitest";
import {
  BatchNorm,
  batchNormBackward,
  batchNormDoubleBackward,
  batchNormInference,
  batchNormMoments,
  batchNormTraining,
  toBfloat16Bits,
  toFloat16Bits,
} from "../../src/index.js";
import { gatherStrided } from "../../src/base/strided.js";
import { random } from "../../src/verify/data.js";
import { backendsUnderTest } from "../support/backends.js";
import { normals } from "../support/reference.js";
import {
  DETACHED,
  detached,
  expectRejected,
  range,
  SHAPE,
  type,
  TYPE,
  VALUE,
  type Rejection,
} from "../support/rejected.js";
import { seed } from "../support/sample.js";

type Floats = NdArray<Float32Array>;

/** A tensor whose data have `count` elements. */
const full = (shape: number[], draw = 1): Floats =>
  ndarray(
    normals(
      "float32",
      shape.reduce((a, b) => a * b),
      draw,
    ),
    shape,
  );

/** The elements of a view in row-major order, one by one. */
function copyOf(view: Floats): Float32Array {
  const out = new Float32Array(view.size);
  for (let i = 0; i < out.length; i++) {
    let rest = i;
    const index = [...view.shape].reverse().map((size) => {
      const at = rest % size;
      rest = Math.floor(rest / size);
      return at;
    });
    out[i] = view.get(...index.reverse());
  }
  return out;
}

/** Views of the shape [4, 3, 2]. */
const VIEWS: Readonly<Record<string, (draw: number) => Floats>> = {
  contiguous: (draw) => full([4, 3, 2], draw),
  "channels moved to the front": (draw) => full([4, 2, 3], draw).transpose(0, 2, 1),
  "all axes turned": (draw) => full([2, 3, 4], draw).transpose(2, 1, 0),
  "the first samples of more": (draw) => full([7, 3, 2], draw).hi(4, 3, 2),
  "the last samples of more": (draw) => full([7, 3, 2], draw).lo(3, 0, 0),
  "an inner part": (draw) => full([6, 5, 4], draw).lo(1, 1, 1).hi(4, 3, 2),
  "each second sample": (draw) => full([8, 3, 2], draw).step(2, 1, 1),
  "each second channel": (draw) => full([4, 6, 2], draw).step(1, 2, 1),
  "turned round": (draw) => full([4, 3, 2], draw).step(-1, -1, -1),
  "one index of four axes": (draw) => full([4, 3, 5, 2], draw).pick(-1, -1, 3, -1),
  "one sample for all": (draw) => ndarray(full([3, 2], draw).data, [4, 3, 2], [0, 2, 1], 0),
};

for (const { name: backend, kernels } of backendsUnderTest)
  describe.skipIf(!kernels)(backend, () => {
    test.each(Object.entries(VIEWS))("%s", (_, make) => {
      const [x, dy, residual] = [make(1), make(2), make(3)];
      const [ours, theirs] = [0, 1].map(() => new BatchNorm(3, { backend: backend as never, activation: "relu" }));
      const before = x.data.slice();
      const y = ours!.forward(x, { residual });
      expect(y.shape).toEqual([4, 3, 2]);
      expect(y.data).toEqual(theirs!.forward(copyOf(x), [4, 3, 2], { residual: copyOf(residual) }));
      const grads = ours!.backward(dy);
      const expected = theirs!.backward(copyOf(dy));
      expect(grads.gradInput).toEqual({ data: expected.gradInput, shape: [4, 3, 2] });
      expect(grads.gradResidual).toEqual({ data: expected.gradResidual, shape: [4, 3, 2] });
      expect(grads.gradWeight).toEqual(expected.gradWeight);
      expect(ours!.runningVar).toEqual(theirs!.runningVar);
      expect(x.data).toEqual(before);
    });
  });

test("the functions without a layer", () => {
  const [x, dy] = [VIEWS["an inner part"]!(1), VIEWS["turned round"]!(2)];
  const [cx, cdy, shape] = [copyOf(x), copyOf(dy), [4, 3, 2]];
  const training = batchNormTraining(x);
  const expected = batchNormTraining(cx, shape);
  expect(training.output).toEqual({ data: expected.output, shape });
  expect(batchNormMoments(x)).toEqual(batchNormMoments(cx, shape));
  const double = batchNormDoubleBackward(training.saved, dy, { gradGradInput: x });
  expect(double.gradGradOutput).toEqual({
    data: batchNormDoubleBackward(expected.saved, cdy, { gradGradInput: cx }).gradGradOutput,
    shape,
  });
  expect(batchNormBackward(dy, training.saved).gradInput.data).toEqual(
    batchNormBackward(cdy, expected.saved).gradInput,
  );
  const statistics = { runningMean: new Float32Array(3), runningVar: Float32Array.of(1, 2, 3) };
  expect(batchNormInference(x, statistics).output.data).toEqual(batchNormInference(cx, shape, statistics).output);
});

test("a copy is saved, so the view may change before the backward; a part that is contiguous is no copy", () => {
  const [turned, part] = [VIEWS["turned round"]!(1), VIEWS["the last samples of more"]!(1)];
  const bn = new BatchNorm(3);
  bn.forward(turned);
  expect(bn.saved!.x).not.toBe(turned.data);
  turned.data.fill(NaN);
  expect(bn.backward(full([4, 3, 2])).gradInput.data.every(Number.isFinite)).toBe(true);
  bn.forward(part);
  expect(bn.saved!.x.buffer).toBe(part.data.buffer);
  // The output may take the place of x there.
  const out = part.data.subarray(18);
  const y = bn.forward(part, { out, save: false });
  expect(y.data).toBe(out);
});

test("dims, other names, typed lists and no strides", () => {
  const data = normals("float32", 30, 1);
  const bn = new BatchNorm(3, { trackRunningStats: false }).eval();
  const expected = bn.forward(data.slice(6), [4, 3, 2]);
  const shape = [4, 3, 2];
  for (const view of [
    { data, shape, offset: 6 },
    { data, shape, strides: [6, 2, 1], offset: 6 },
    { data, shape, stride: Int32Array.of(6, 2, 1), offset: 6 },
    { data, shape, strides: [6, 2, 1], stride: [0, 0, 0], offset: 6 },
  ])
    expect(bn.forward(view)).toEqual({ data: expected, shape });
  expect(bn.forward({ data, dims: shape, strides: [6, 2, 1], offset: 6 })).toEqual({ data: expected, dims: shape });
});

test("16-bit elements, as bits and as a Float16Array", () => {
  const shape = [4, 3, 2];
  const list = normals("float32", 24, 1);
  const turned = { shape, strides: [-6, -2, -1], offset: 23 };
  for (const [dtype, bits] of [
    ["float16", toFloat16Bits(list)],
    ["bfloat16", toBfloat16Bits(list)],
  ] as const) {
    const bn = new BatchNorm(3, { dtype });
    expect(bn.forward({ data: bits, ...turned }).data).toEqual(bn.forward(bits.slice().reverse(), shape));
  }
  const { Float16Array } = globalThis as unknown as { Float16Array?: { from(list: Float32Array): Uint16Array } };
  if (!Float16Array) return;
  const half = Float16Array.from(list);
  const { output } = batchNormTraining({ data: half, ...turned }, { dtype: "float16" });
  expect(Object.prototype.toString.call(output.data)).toBe("[object Float16Array]");
  const { output: expected } = batchNormTraining(half.slice().reverse(), shape, { dtype: "float16" });
  expect(output.data).toEqual(expected);
});

test("a state of views", () => {
  const bn = new BatchNorm(3);
  const table = { data: Float32Array.of(1, 9, 2, 9, 3), shape: [3], stride: [2], offset: 0 };
  bn.loadStateDict({ ...bn.stateDict(), weight: table });
  expect(bn.weight).toEqual(Float32Array.of(1, 2, 3));
});

test("random views, element by element", () => {
  const next = random(seed);
  const draw = (most: number): number => Math.floor(next() * most);
  for (let trial = 0; trial < 400; trial++) {
    const shape = Array.from({ length: 1 + draw(5) }, () => 1 + draw(4));
    let view = full(shape, seed + trial);
    view = view.transpose(
      ...shape
        .map((_, i) => [i, next()] as const)
        .sort((a, b) => a[1] - b[1])
        .map(([i]) => i),
    );
    view = view.lo(...view.shape.map((size) => draw(size)));
    view = view.hi(...view.shape.map((size) => 1 + draw(size)));
    view = view.step(...view.shape.map(() => [1, -1, 2, -2, 3][draw(5)]!));
    const target = new Float32Array(view.size);
    gatherStrided(view.data, { shape: view.shape, strides: view.stride, offset: view.offset }, target);
    expect(target).toEqual(copyOf(view));
  }
});

const data = normals("float32", 24, 1);
const SIZES = [4, 3, 2];
const within = (from: number, to: number, strides: string, offset: number): Rejection =>
  range(
    SHAPE,
    `"x" expected elements within its 24, got those from ${from} to ${to}: strides [${strides}] and offset ${offset} for shape [4, 3, 2]`,
  );

test.each<readonly [Record<string, unknown>, Rejection]>([
  [{ offset: 1 }, within(1, 24, "6, 2, 1", 1)],
  [{ strides: [6, 2, 1], offset: 1 }, within(1, 24, "6, 2, 1", 1)],
  [{ strides: [7, 2, 1] }, within(0, 26, "7, 2, 1", 0)],
  [{ stride: [-6, 2, 1], offset: 17 }, within(-1, 22, "-6, 2, 1", 17)],
  [{ strides: [2 ** 52, 2, 1] }, within(0, 3 * 2 ** 52 + 5, `${2 ** 52}, 2, 1`, 0)],
  [{ offset: 2 ** 52 }, within(2 ** 52, 2 ** 52 + 23, "6, 2, 1", 2 ** 52)],
  [{ offset: -1 }, range(VALUE, '"x.offset" expected a non-negative integer, got -1')],
  [{ offset: 0.5 }, range(VALUE, '"x.offset" expected a non-negative integer, got 0.5')],
  [{ offset: NaN }, range(VALUE, '"x.offset" expected a non-negative integer, got NaN')],
  [{ strides: [6, 2, 0.5] }, range(VALUE, '"x.strides[2]" expected an integer, got 0.5')],
  [{ strides: [Infinity, 2, 1] }, range(VALUE, '"x.strides[0]" expected an integer, got Infinity')],
  [{ strides: [6, 2] }, type(TYPE, '"x.strides[2]" expected a number, got undefined')],
  [{ strides: ["6", 2, 1] }, type(TYPE, '"x.strides[0]" expected a number, got "6"')],
  [{ strides: BigInt64Array.of(6n, 2n, 1n) }, type(TYPE, '"x.strides[0]" expected a number, got 6n')],
  [
    { data: new Array(24).fill(1), offset: 2 },
    type(TYPE, '"x.data" expected a typed array of floats with strides, got an Array'),
  ],
  [{ data: detached(24), strides: [-6, 2, 1] }, type(DETACHED, '"x" has a detached buffer')],
  [{ data: new Float64Array(24), strides: [1, 2, 6] }, within(0, 37, "", 0)],
])("%o", (fields, expected) => {
  const bn = new BatchNorm(3);
  const view = { data, shape: SIZES, ...fields };
  if (fields.data instanceof Float64Array) {
    const kinds = type(TYPE, '"x" expected a Float32Array, got a Float64Array');
    expectRejected(() => bn.forward({ ...view, strides: [1, 4, 12] } as never), [bn, data], kinds);
  } else expectRejected(() => bn.forward(view as never), [bn, data], expected);
});

test("more elements than memory has", () => {
  const view = { data, shape: [2 ** 30, 3, 2 ** 20], strides: [0, 0, 0] };
  expect(() => new BatchNorm(3).forward(view)).toThrow(expect.objectContaining({ code: "ERR_BATCHNORM_MEMORY" }));
});

test("without elements, strides and an offset say nothing", () => {
  const view = { data: new Float32Array(0), shape: [0, 3, 2], strides: [9, 9, -9], offset: 5 };
  expect(new BatchNorm(3).forward(view)).toEqual({ data: new Float32Array(0), shape: [0, 3, 2] });
});

test("a view without elements, of data that has some", () => {
  const bn = new BatchNorm(3);
  const data = new Float32Array(6);
  for (const offset of [0, 3])
    expect(bn.forward({ data, shape: [0, 3], stride: [3, 1], offset }).data).toEqual(new Float32Array(0));
});

test("strides that are no list, and offsets that are no number, are refused", () => {
  const bn = new BatchNorm(3);
  const data = new Float32Array(6);
  const forward = (fields: object) => () => bn.forward({ data, shape: [2, 3], ...fields });
  expect(forward({ offset: "3" })).toThrow('"x.offset" expected a number, got "3"');
  for (const stride of ["12", 2, { 0: 1 }])
    expect(forward({ stride })).toThrow('"x.strides" expected an array of numbers, got ');
  expect(forward({ stride: () => [3, 1] })().shape).toEqual([2, 3]);
});
