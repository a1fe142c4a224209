// batchNorm of tensors, beside TensorFlow.js's own operations on its backends.
import { beforeAll, describe, expect, test } from "vitest";
import { bindTfjs, type TfjsCore, type TfjsOperations } from "../../src/tfjs.js";
import { backendsUnderTest } from "../support/backends.js";
import { error, expectNear, expectSame, tensorOf } from "./data.js";
import { loadTensorflow, TF_BACKENDS, type Tensor, type Tf } from "./tensorflow.js";

let tf: Tf;
let batchNorm: TfjsOperations<Tf>["batchNorm"];
let batchNormAsync: TfjsOperations<Tf>["batchNormAsync"];

beforeAll(async () => {
  tf = await loadTensorflow();
  ({ batchNorm, batchNormAsync } = bindTfjs(tf));
});

/** x with the channels last, by TensorFlow.js. */
function channelsLast(x: Tensor, axis: number): { there: Tensor; back: (y: Tensor) => Tensor } {
  const order = [...x.shape.keys()].filter((i) => i !== axis).concat(axis);
  const inverse = order.map((_, i) => order.indexOf(i));
  return { there: tf.transpose(x, order), back: (y) => tf.transpose(y, inverse) };
}

/** The textbook's formula with TensorFlow.js's operations on four axes at most: all but the channels become one. */
function expected(
  x: Tensor,
  gamma: Tensor,
  beta: Tensor,
  axis: number,
  statistics?: readonly [Tensor, Tensor],
): Tensor {
  const { there, back } = channelsLast(x, axis);
  const flat = tf.reshape(there as never, [-1, x.shape[axis]!] as never) as Tensor;
  const { mean, variance } = statistics ? { mean: statistics[0], variance: statistics[1] } : tf.moments(flat, [0]);
  const y = tf.batchNorm(flat, mean, variance, beta, gamma, 1e-3);
  return back(tf.reshape(y as never, there.shape as never) as Tensor);
}

const SHAPES = [
  { shape: [12, 5], axis: 1 },
  { shape: [7], axis: 0 },
  { shape: [6, 3, 4], axis: 1 },
  { shape: [4, 5, 6, 3], axis: -1 },
  { shape: [4, 3, 5, 6], axis: 1 },
  { shape: [4, 3, 5, 6], axis: 0 },
  { shape: [2, 3, 4, 5, 2], axis: 4 },
  { shape: [2, 3, 2, 4, 2, 3], axis: -1 },
  { shape: [2, 3, 2, 4, 2, 3], axis: 2 },
];

const OWN = [undefined, ...backendsUnderTest.filter(({ kernels }) => kernels).map(({ name }) => name)];

describe.each(TF_BACKENDS)("on TensorFlow.js's %s", (backend) => {
  beforeAll(async () => void (await tf.setBackend(backend)));

  describe.each(OWN)("by %s", (own) => {
    const options = { backend: own as never };
    test.each(SHAPES)("$shape, axis $axis: forward and all gradients", ({ shape, axis }) => {
      const at = axis < 0 ? axis + shape.length : axis;
      const channels = shape[at]!;
      const [x, dy] = [tensorOf(tf, shape, 1, 3, 2), tensorOf(tf, shape, 2)];
      const [gamma, beta] = [tensorOf(tf, [channels], 3, 1, 0.3), tensorOf(tf, [channels], 4)];
      const mean = tensorOf(tf, [channels], 5);
      const variance = tf.square(tensorOf(tf, [channels], 6, 1, 0.2));
      const train = (x: Tensor, gamma: Tensor, beta: Tensor): Tensor =>
        batchNorm(x, { ...options, training: true, axis, gamma, beta });
      const infer = (x: Tensor, gamma: Tensor, beta: Tensor, movingMean: Tensor, movingVariance: Tensor): Tensor =>
        batchNorm(x, { ...options, axis, gamma, beta, movingMean, movingVariance });
      const inputs = [x, gamma, beta];
      expectSame([train(x, gamma, beta)], [expected(x, gamma, beta, at)]);
      expectSame([infer(x, gamma, beta, mean, variance)], [expected(x, gamma, beta, at, [mean, variance])]);
      const all = [...inputs, mean, variance];
      const given = tf.grads((x, g, b, m, v) => expected(x, g, b, at, [m, v]))(all, dy);
      expectSame(tf.grads(infer)(all, dy), given);
      // Of one value per channel the gradient is 0, and rounding is not.
      if (shape.length === 1) return;
      const own = tf.grads(train)(inputs, dy);
      expectSame(own, tf.grads((x, g, b) => expected(x, g, b, at))(inputs, dy), 3e-5);
    });
  });

  test("γ or β alone, or neither", () => {
    const [x, dy] = [tensorOf(tf, [8, 3], 1), tensorOf(tf, [8, 3], 2)];
    const [one, zero, other] = [tf.ones([3]), tf.tensor([0, 0, 0]), tensorOf(tf, [3], 3, 1, 0.2)];
    const cases = [
      { given: {}, gamma: one, beta: zero },
      { given: { gamma: other }, gamma: other, beta: zero },
      { given: { beta: other, gamma: null }, gamma: one, beta: other },
    ];
    for (const { given, gamma, beta } of cases) {
      const own = (x: Tensor): Tensor => batchNorm(x, { training: true, ...given });
      expectSame([own(x)], [expected(x, gamma, beta, 1)]);
      expectSame([tf.grad(own)(x, dy)], [tf.grad((x) => expected(x, gamma, beta, 1))(x, dy)], 3e-5);
    }
  });

  test("training moves the variables by the biased variance, inference does not", () => {
    const x = tensorOf(tf, [10, 4], 1, 2);
    const [movingMean, movingVariance] = [tf.variable(tf.ones([4])), tf.variable(tf.ones([4]))];
    const options = { movingMean, movingVariance, momentum: 0.75 };
    batchNorm(x, options);
    expect([...movingMean.dataSync(), ...movingVariance.dataSync()]).toEqual(Array(8).fill(1));
    batchNorm(x, { ...options, training: true });
    const { mean, variance } = tf.moments(x, [0]);
    expectSame(
      [movingMean, movingVariance],
      [mean, variance].map((t) => tf.add(tf.mul(t, 0.25), 0.75)),
    );
  });

  test.each([true, false])("a gradient of a gradient, training %s", (training) => {
    const shape = [3, 2, 4];
    const [x, probe] = [tensorOf(tf, shape, 1, 1), tensorOf(tf, shape, 2)];
    const [gamma, beta] = [tensorOf(tf, [2], 3, 1, 0.2), tensorOf(tf, [2], 4)];
    const [mean, variance] = [tensorOf(tf, [2], 5), tf.ones([2])];
    const own = (x: Tensor): Tensor => {
      const given = { axis: 1, training, gamma, beta };
      return batchNorm(x, training ? given : { ...given, movingMean: mean, movingVariance: variance });
    };
    const theirs = (x: Tensor): Tensor => expected(x, gamma, beta, 1, training ? undefined : [mean, variance]);
    const penalty = (f: (x: Tensor) => Tensor) => (x: Tensor) => {
      const g = tf.grad((x) => tf.sum(tf.mul(tf.square(f(x)), probe)))(x);
      return tf.sum(tf.square(g));
    };
    expectSame([tf.grad(penalty(own))(x)], [tf.grad(penalty(theirs))(x)], 1e-4);
  });

  test("virtual batches and their gradients are those of each part", () => {
    const [x, dy] = [tensorOf(tf, [10, 6], 1), tensorOf(tf, [10, 6], 2)];
    const options = { training: true, virtualBatchSize: 4 };
    const value = batchNorm(x, options).dataSync();
    const gradient = tf
      .grad((x) => batchNorm(x, options))(x, dy)
      .dataSync();
    for (const [begin, end] of [
      [0, 24],
      [24, 48],
      [48, 60],
    ] as const) {
      const part = tf.tensor(x.dataSync().slice(begin, end), [(end - begin) / 6, 6]);
      const gradPart = tf.tensor(dy.dataSync().slice(begin, end), part.shape);
      expect(value.slice(begin, end)).toEqual(batchNorm(part, { training: true }).dataSync());
      const own = tf.grad((x) => batchNorm(x, { training: true }))(part, gradPart);
      expect(gradient.slice(begin, end)).toEqual(own.dataSync());
    }
    const second = (x: Tensor): Tensor => tf.sum(tf.square(tf.grad((x) => batchNorm(x, options))(x)));
    expect(() => tf.grad(second)(x)).toThrow(expect.objectContaining({ code: "ERR_BATCHNORM_OPTION" }));
  });

  test("integers are cast, an empty batch gives an empty output", async () => {
    const x = tf.tensor([1, 2, 3, 4], [2, 2], "int32");
    const floats = tf.tensor([1, 2, 3, 4], [2, 2]);
    const y = batchNorm(x, { training: true });
    expect(y.dtype).toBe("float32");
    expectSame([y], [batchNorm(floats, { training: true })], 1e-9);
    expectSame([await batchNormAsync(x, { training: true })], [y], 1e-9);
    expect(batchNorm(tf.tensor([], [0, 3]), { training: true }).shape).toEqual([0, 3]);
  });

  test("the same by await, without gradients", async () => {
    const x = tensorOf(tf, [5, 4, 3], 1);
    const [gamma, beta] = [tensorOf(tf, [3], 2), tensorOf(tf, [3], 3)];
    for (const training of [false, true]) {
      const make = (): object => ({ movingMean: tf.variable(tf.ones([3])), movingVariance: tf.variable(tf.ones([3])) });
      const [one, other] = [make(), make()] as [Record<string, Tensor>, Record<string, Tensor>];
      const y = await batchNormAsync(x, { training, gamma, beta, ...one });
      expect(y.dataSync()).toEqual(batchNorm(x, { training, gamma, beta, ...other }).dataSync());
      expectSame(Object.values(one), Object.values(other), 1e-9);
    }
  });

  test("a tensor of another backend is read where it is", async () => {
    await tf.setBackend(backend === "cpu" ? "wasm" : "cpu");
    const x = tensorOf(tf, [6, 3], 1);
    await tf.setBackend(backend);
    const dy = tensorOf(tf, [6, 3], 2);
    const [one, zero] = [tf.ones([3]), tf.tensor([0, 0, 0])];
    const own = tf.grad((x) => batchNorm(x, { training: true }))(x, dy);
    expectSame([own], [tf.grad((x) => expected(x, one, zero, 1))(x, dy)], 3e-5);
  });

  test("1000 steps leave no tensor behind, nor does an error", async () => {
    const x = tensorOf(tf, [6, 3, 4], 1);
    const [gamma, beta] = [tf.ones([3]), tf.ones([3])];
    const moving = { movingMean: tf.variable(tf.ones([3])), movingVariance: tf.variable(tf.ones([3])) };
    const ints = tf.tensor([1, 2, 3], [1, 3], "int32");
    const negative = tf.mul(gamma, -1);
    const step = async (): Promise<void> => {
      const options = { axis: 1, training: true, gamma, beta, ...moving };
      for (const g of tf.grads((x, gamma) => batchNorm(x, { ...options, gamma: gamma }))([x, gamma])) g.dispose();
      batchNorm(x, { ...options, training: false }).dispose();
      (await batchNormAsync(ints, moving)).dispose();
      expect(() => batchNorm(x, { ...options, axis: 7 })).toThrow();
      expect(() => batchNorm(x, { axis: 1, ...moving, movingVariance: negative })).toThrow();
    };
    await step();
    const { numTensors, numDataBuffers } = tf.memory();
    for (let i = 0; i < 1000; i++) await step();
    expect(tf.memory()).toMatchObject({ numTensors, numDataBuffers });
  });
});

test("memory of the WebAssembly backend that grows between forward and backward changes nothing", async () => {
  await tf.setBackend("wasm");
  const [x, dy] = [tensorOf(tf, [64, 32], 1), tensorOf(tf, [64, 32], 2)];
  const filled: Tensor[] = [];
  const grown = tf.grad((x) => {
    const y = batchNorm(x, { training: true });
    for (let i = 0; i < 8; i++) filled.push(tf.tensor(new Float32Array(2 ** 22).fill(7), [2 ** 22]));
    return y;
  })(x, dy);
  expectNear(
    grown.dataSync(),
    tf
      .grad((x) => batchNorm(x, { training: true }))(x, dy)
      .dataSync(),
    1e-9,
  );
  for (const tensor of filled) tensor.dispose();
});

test("a backend whose tensors can only be awaited is refused, and batchNormAsync runs on it", async () => {
  await tf.setBackend("cpu");
  const x = tensorOf(tf, [4, 2], 1);
  const gpu = bindTfjs({ ...tf, getBackend: () => "webgpu" });
  expect(() => gpu.batchNorm(x, { training: true })).toThrow(
    error(
      "ERR_BATCHNORM_VALUE",
      `"tf.getBackend()" expected a backend whose tensors can be read at once, got "webgpu"`,
    ),
  );
  expect((await gpu.batchNormAsync(x, { training: true })).shape).toEqual([4, 2]);
});

describe("what is wrong is told before anything is written", () => {
  const cases: readonly (readonly [string, string, () => unknown])[] = [
    ["ERR_BATCHNORM_TYPE", `"x" expected a tensor, got an Array`, () => batchNorm([[1]] as never)],
    ["ERR_BATCHNORM_TYPE", `"x" expected a tensor, got undefined`, () => batchNorm(undefined as never)],
    ["ERR_BATCHNORM_TYPE", `"x" expected a tensor, got one that is disposed of`, () => batchNorm(disposed())],
    ["ERR_BATCHNORM_TYPE", `"x" expected a float32 tensor, got string`, () => batchNorm(text())],
    ["ERR_BATCHNORM_OPTION", `unknown option "gama"`, () => batchNorm(x(), { gama: 1 } as never)],
    ["ERR_BATCHNORM_TYPE", `"training" expected a boolean, got 1`, () => batchNorm(x(), { training: 1 as never })],
    ["ERR_BATCHNORM_OPTION", `inference needs "movingMean" and "movingVariance"`, () => batchNorm(x())],
    [
      "ERR_BATCHNORM_OPTION",
      `"renorm" needs "movingMean" and "movingVariance"`,
      () => batchNorm(x(), { training: true, renorm: { rMax: 1, dMax: 0 } }),
    ],
    [
      "ERR_BATCHNORM_OPTION",
      `"movingMean" and "movingVariance" need each other`,
      () => batchNorm(x(), { movingMean: tf.ones([2]) }),
    ],
    [
      "ERR_BATCHNORM_SHAPE",
      `"gamma" expected shape [2], got [3]`,
      () => batchNorm(x(), { training: true, gamma: tf.ones([3]) }),
    ],
    [
      "ERR_BATCHNORM_TYPE",
      `"gamma" expected a float32 tensor, got int32`,
      () => batchNorm(x(), { training: true, gamma: tf.tensor([1, 2], [2], "int32") }),
    ],
    [
      "ERR_BATCHNORM_TYPE",
      `"movingMean" expected a tf.Variable in training, got a tensor`,
      () => batchNorm(x(), { training: true, movingMean: tf.ones([2]), movingVariance: tf.ones([2]) }),
    ],
    ["ERR_BATCHNORM_VALUE", `"epsilon" expected`, () => batchNorm(x(), { training: true, epsilon: -1 })],
    ["ERR_BATCHNORM_VALUE", `"momentum" expected`, () => batchNorm(x(), { training: true, momentum: 2 })],
    ["ERR_BATCHNORM_VALUE", `"axis" expected an integer`, () => batchNorm(x(), { training: true, axis: 0.5 })],
    ["ERR_BATCHNORM_SHAPE", `"shape" expected channels at axis 2`, () => batchNorm(x(), { training: true, axis: 2 })],
    ["ERR_BATCHNORM_VALUE", `"virtualBatchSize"`, () => batchNorm(x(), { training: true, virtualBatchSize: 0 })],
    ["ERR_BATCHNORM_TYPE", `"tf" expected TensorFlow.js, got undefined`, () => bindTfjs(undefined as never)],
    [
      "ERR_BATCHNORM_TYPE",
      `"tf" expected TensorFlow.js, got none of tidy`,
      () => bindTfjs({ ...tf, tidy: 1 } as never),
    ],
    ["ERR_BATCHNORM_TYPE", `pass its "default"`, () => bindTfjs({ default: tf } as never)],
  ];
  const x = (): Tensor => tf.ones([3, 2]);
  const text = (): Tensor => tf.tensor(["a"] as never, [1, 1], "string");
  const disposed = (): Tensor => {
    const tensor = x();
    tensor.dispose();
    return tensor;
  };

  test.each(cases)("%s: %s", (code, message, run) => {
    expect(run).toThrow(error(code, message));
  });
});

test("without tf.layers there are the operations alone; the same namespace gives the same object", () => {
  expect(Object.keys(bindTfjs({ ...tf, layers: undefined } as TfjsCore))).toEqual(["batchNorm", "batchNormAsync"]);
  expect(bindTfjs(tf)).toBe(bindTfjs(tf));
  expect(bindTfjs({ ...tf }).BatchNormalization).toBe(bindTfjs(tf).BatchNormalization);
});
