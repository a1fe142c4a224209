// The layer in place of tf.layers.batchNormalization, beside it.
import { beforeAll, describe, expect, test } from "vitest";
import { BatchNorm } from "../../src/index.js";
import { bindTfjs, type TfjsBatchNorm } from "../../src/tfjs.js";
import { expectNear, expectSame, tensorOf } from "./data.js";
import { batchesOf, compiled, convolutional, dense, likewise, train, type MakeNorm } from "./models.js";
import { artifactsOf, loadTensorflow, TF_BACKENDS, type Layer, type Model, type Tf } from "./tensorflow.js";

let tf: Tf;
let bound: TfjsBatchNorm<Tf>;
const ours: MakeNorm = (config) => new bound.BatchNormalization(config);
const theirs: MakeNorm = (config) => tf.layers.batchNormalization(config);

beforeAll(async () => {
  tf = await loadTensorflow();
  bound = bindTfjs(tf);
});

describe.each(TF_BACKENDS)("on TensorFlow.js's %s", (backend) => {
  beforeAll(async () => void (await tf.setBackend(backend)));

  test("100 steps have the same curve and end with the same weights, also half by one and half by the other", async () => {
    const make = backend === "wasm" ? dense : convolutional;
    const batches = batchesOf(tf, 10);
    const model = make(tf, theirs);
    const [own, mixed] = [likewise(make(tf, ours), model), likewise(make(tf, theirs), model)];
    const curve = await train(model, batches, 100);
    expect(curve.at(-1)).toBeLessThan(0.6 * curve[0]!);
    const ownCurve = await train(own, batches, 100);
    const first = await train(mixed, batches, 50);
    expect(bound.replaceBatchNormalization(mixed)).toHaveLength(2);
    const mixedCurve = [...first, ...(await train(mixed, batches, 50))];
    for (const other of [ownCurve, mixedCurve]) {
      expect(Math.max(...other.map((loss, i) => Math.abs(loss - curve[i]!)))).toBeLessThan(1e-5);
    }
    for (const other of [own, mixed]) {
      expectSame(other.getWeights(), model.getWeights(), 1e-4);
      const { x } = batches[0]!;
      expectNear(other.predict(x).dataSync(), model.predict(x).dataSync(), 1e-4);
    }
  });

  test("1000 steps of training and prediction leave no tensor behind", async () => {
    const model = tf.sequential({
      layers: [
        tf.layers.dense({ units: 4, inputShape: [3] }),
        ours({}),
        ours({ scale: false }),
        tf.layers.dense({ units: 1 }),
      ],
    });
    model.compile({ optimizer: tf.train.adam(0.01), loss: "meanSquaredError" });
    const [x, y] = [tensorOf(tf, [8, 3], 1), tensorOf(tf, [8, 1], 2)];
    const step = async (): Promise<void> => {
      await model.trainOnBatch(x, y);
      model.predict(x).dispose();
    };
    await step();
    const { numTensors, numDataBuffers } = tf.memory();
    for (let i = 0; i < 1000; i++) await step();
    expect(tf.memory()).toMatchObject({ numTensors, numDataBuffers });
  });

  // TensorFlow.js has no gradient for another axis than the last, none for more than four, and none without γ or β.
  const FORMS = [
    { shape: [6, 5], config: { scale: false } },
    { shape: [6, 5], config: { center: false } },
    { shape: [6, 5, 4], config: { axis: 1, scale: false } },
    { shape: [4, 3, 5, 6], config: { axis: 1 } },
    { shape: [4, 3, 2, 5, 2], config: {} },
    { shape: [4, 3, 2, 2, 2, 5], config: { axis: 2 } },
  ];
  test.each(FORMS)("trains $shape with $config, as BatchNorm does", async ({ shape, config }) => {
    const layer = ours({ inputShape: shape.slice(1), momentum: 0.5, ...config });
    const model = tf.sequential({ layers: [layer] });
    model.compile({ optimizer: tf.train.sgd(0.1), loss: "meanSquaredError" });
    const axis = (config as { axis?: number }).axis ?? -1;
    const channels = shape.at(axis);
    const { scale = true, center = true } = config as { scale?: boolean; center?: boolean };
    const bn = new BatchNorm(channels, { convention: "keras", axis, momentum: 0.5, weight: scale, bias: center });
    const [x, target] = [tensorOf(tf, shape, 1, 2, 3), tensorOf(tf, shape, 2)];
    const size = target.dataSync().length;
    for (let step = 0; step < 5; step++) {
      const loss = await model.trainOnBatch(x, target);
      const y = bn.forward(x.dataSync(), shape);
      const dy = y.map((value, i) => (2 * (value - target.dataSync()[i]!)) / size);
      expect(loss).toBeCloseTo(y.reduce((sum, v, i) => sum + (v - target.dataSync()[i]!) ** 2, 0) / size, 5);
      const { gradWeight, gradBias } = bn.backward(dy);
      gradWeight?.forEach((g, c) => (bn.weight![c]! -= 0.1 * g));
      gradBias?.forEach((g, c) => (bn.bias![c]! -= 0.1 * g));
    }
    const state = [bn.weight, bn.bias, bn.runningMean, bn.runningVar].filter((table) => table !== null);
    const weights = layer.getWeights();
    expect(weights).toHaveLength(state.length);
    for (const [i, table] of state.entries()) expectNear(weights[i]!.dataSync(), table, 1e-5);
    expectNear(model.predict(x).dataSync(), bn.eval().forward(x.dataSync(), shape), 1e-5);
  });

  test("renormalization and virtual batches are those of BatchNorm, bit for bit", () => {
    const x = tensorOf(tf, [10, 4], 1, 1, 2);
    const extras = { renorm: { rMax: 1.5, dMax: 0.5 }, virtualBatchSize: 4, virtualBatches: "interleaved" as const };
    const layer = ours({ momentum: 0.9, ...extras });
    const bn = new BatchNorm(4, { convention: "keras", momentum: 0.9, ...extras });
    for (let step = 0; step < 3; step++) {
      expect(layer.apply(x, { training: true }).dataSync()).toEqual(bn.forward(x.dataSync(), [10, 4]));
    }
    expect(layer.getWeights()[3]!.dataSync()).toEqual(bn.runningVar);
    // A schedule is an assignment.
    layer.renorm = { rMax: 1, dMax: 0 };
    const limited = new BatchNorm(4, { convention: "keras", momentum: 0.9, ...extras, renorm: { rMax: 1, dMax: 0 } });
    limited.loadStateDict(bn.stateDict());
    expect(layer.apply(x, { training: true }).dataSync()).toEqual(limited.forward(x.dataSync(), [10, 4]));
    expect(() => {
      layer.renorm = { rMax: 0, dMax: 0 };
      layer.apply(x, { training: true });
    }).toThrow(expect.objectContaining({ code: "ERR_BATCHNORM_VALUE" }));
  });

  test("the training flag decides, and trainable does not, as in TensorFlow.js", () => {
    const x = tensorOf(tf, [10, 4], 1, 1, 2);
    for (const trainable of [true, false]) {
      const [own, other] = [ours({ trainable }), theirs({ trainable })];
      for (const kwargs of [{}, { training: false }, { training: true }, undefined, { training: true }]) {
        expectSame([own.apply(x, kwargs)], [other.apply(x, kwargs)]);
        expectSame(own.getWeights(), other.getWeights());
      }
    }
  });

  test("after data that were NaN the results are NaN, as TensorFlow.js's", () => {
    const x = tf.tensor([NaN, 1, 2, 3], [2, 2]);
    for (const layer of [ours({}), theirs({})]) {
      for (const training of [true, false, true])
        expect([...layer.apply(x, { training }).dataSync()].map(Number.isNaN)).toEqual([true, false, true, false]);
    }
  });
});

describe("config and weights are those of tf.layers.batchNormalization", () => {
  beforeAll(async () => void (await tf.setBackend("cpu")));
  const CONFIGS: readonly object[] = [
    {},
    { axis: 1, momentum: 0.5, epsilon: 1e-5, center: false, name: "a" },
    { scale: false, betaInitializer: "ones", movingMeanInitializer: "ones", movingVarianceInitializer: "zeros" },
    { gammaRegularizer: "l1l2", betaRegularizer: "l1l2", gammaConstraint: "nonNeg", betaConstraint: "maxNorm" },
    { gammaInitializer: { className: "Constant", config: { value: 3 } }, trainable: false, inputShape: [4, 5, 3] },
    { axis: null, momentum: null, epsilon: null },
  ];
  const unnamed = (config: Record<string, unknown>): object => ({ ...config, name: undefined });

  test.each(CONFIGS)("%j", (config) => {
    const [own, other] = [ours(config), theirs(config)];
    expect(unnamed(own.getConfig())).toEqual(unnamed(other.getConfig()));
    expect(own.getClassName()).toBe("BatchNormalization");
    for (const layer of [own, other]) layer.build([null, 4, 5, 3]);
    const names = ({ weights }: Layer): string[] =>
      weights.map(({ name }) => name.split("/").at(-1).replace(/_\d+$/, ""));
    expect(names(own)).toEqual(names(other));
    expect(own.trainableWeights).toHaveLength(other.trainableWeights.length);
    expectSame(own.getWeights(), other.getWeights(), 1e-9);
  });

  test("a constraint and a regularizer work in training", async () => {
    const config = { gammaConstraint: "nonNeg", gammaRegularizer: { className: "L1L2", config: { l1: 0.1, l2: 0 } } };
    const batches = batchesOf(tf, 4);
    const make = (norm: MakeNorm): Model => convolutional(tf, (one) => norm({ ...one, ...config }));
    const other = make(theirs);
    const own = likewise(make(ours), other);
    const [a, b] = [await train(own, batches, 30), await train(other, batches, 30)];
    expectNear(a, b, 1e-5);
    expectSame(own.getWeights(), other.getWeights(), 1e-4);
    expect(Math.min(...own.layers[1]!.getWeights()[0]!.dataSync())).toBeGreaterThanOrEqual(0);
  });

  test("names go on where TensorFlow.js's own would", () => {
    const number = (layer: Layer): number => Number(/\d+$/.exec(layer.name)![0]);
    expect(number(ours({})) - number(theirs({}))).toBe(-1);
  });

  const WRONG: readonly (readonly [string, object])[] = [
    [`"axis" expected a number, got an Array`, { axis: [1, 2] }],
    [`"axis" expected an integer, got 0.5`, { axis: 0.5 }],
    [`"momentum" expected a number in [0, 1], got 2`, { momentum: 2 }],
    [`"epsilon" expected`, { epsilon: -1 }],
    [`"renorm" expected { rMax, dMax }, got a function: assign "renorm"`, { renorm: () => ({ rMax: 1, dMax: 0 }) }],
    [`"renorm.rMax" expected`, { renorm: { rMax: 0.5, dMax: 0 } }],
    [`"virtualBatchSize" expected`, { virtualBatchSize: 0 }],
    [`"virtualBatches"`, { virtualBatchSize: 2, virtualBatches: "other" }],
    [`"virtualBatches"`, { virtualBatches: "interleaved" }],
  ];
  test.each(WRONG)("%s", (message, config) => {
    expect(() => ours(config)).toThrow(
      expect.objectContaining({ message: expect.stringContaining(message) as string }) as Error,
    );
  });

  test("names of BatchNorm that are called otherwise here are refused", () => {
    expect(() => ours({ eps: 0.1 })).toThrow('unknown option "eps", did you mean "epsilon"?');
    expect(() => ours({ weight: false })).toThrow('unknown option "weight", did you mean "scale"?');
  });

  test("two inputs are refused", () => {
    const x = tf.ones([2, 2]);
    const layer = ours({});
    layer.apply(x);
    expect(() => (layer as unknown as { call(x: unknown, k: object): void }).call([x, x], {})).toThrow(
      `"inputs" expected one tensor, got 2`,
    );
  });
});

describe("a saved model", () => {
  beforeAll(async () => void (await tf.setBackend("cpu")));

  test("loads as TensorFlow.js's own, with the same predictions", async () => {
    const model = convolutional(tf, ours);
    const batches = batchesOf(tf, 2);
    await train(model, batches, 5);
    const loaded = await tf.loadLayersModel(tf.io.fromMemory(await artifactsOf(tf, model)));
    expect(loaded.layers[1]!.constructor).toBe(theirs({}).constructor);
    const { x } = batches[0]!;
    const expected = model.predict(x).dataSync();
    expectNear(loaded.predict(x).dataSync(), expected);
    bound.replaceBatchNormalization(loaded);
    expect(loaded.predict(x).dataSync()).toEqual(expected);
  });

  test("with renorm or virtual batches has a name of its own, and loads where bindTfjs was called", async () => {
    const extras = { renorm: { rMax: 3, dMax: Infinity }, virtualBatchSize: 8, virtualBatches: "interleaved" };
    const model = convolutional(tf, (config) => ours({ ...config, ...extras }));
    const batches = batchesOf(tf, 4);
    await train(model, batches, 3);
    const artifacts = await artifactsOf(tf, model);
    expect(JSON.stringify(artifacts)).toContain(`"class_name":"batchnorm>BatchNormalization"`);
    const loaded = compiled(tf, await tf.loadLayersModel(tf.io.fromMemory(artifacts)));
    const layer = loaded.layers[1]!;
    expect(layer).toBeInstanceOf(bound.BatchNormalization);
    expect(layer.getConfig()).toMatchObject({ name: "first", ...extras });
    expect(await train(loaded, batches, 3)).toEqual(await train(model, batches, 3));
  });
});
