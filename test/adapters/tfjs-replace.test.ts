// The batch normalizations of models, replaced where they are.
import { beforeAll, expect, test } from "vitest";
import { bindTfjs, type TfjsBatchNorm } from "../../src/tfjs.js";
import { error, expectNear, expectSame, tensorOf } from "./data.js";
import { batchesOf, compiled, convolutional, likewise, train, type MakeNorm } from "./models.js";
import { artifactsOf, loadTensorflow, type Layer, type Model, type Tf } from "./tensorflow.js";

let tf: Tf;
let bound: TfjsBatchNorm<Tf>;
let theirs: MakeNorm;

beforeAll(async () => {
  tf = await loadTensorflow();
  bound = bindTfjs(tf);
  theirs = (config) => tf.layers.batchNormalization(config);
  await tf.setBackend("cpu");
});

const isOurs = (layer: Layer): boolean => layer instanceof bound.BatchNormalization;

/** Two branches with a normalization of their own, a shared one, a nested model and one over time. */
function functional(): Model {
  const input = tf.input({ shape: [4, 3] });
  const shared = theirs({ name: "shared" });
  const left = shared.apply(tf.layers.dense({ units: 3 }).apply(input));
  const right = shared.apply(theirs({ name: "right", trainable: false }).apply(input));
  const inner = tf.sequential({
    layers: [tf.layers.dense({ units: 5, inputShape: [4, 3] }), theirs({ name: "inner" })],
  });
  const sum = tf.layers.add({}).apply([left, right]);
  const timed = tf.layers
    .timeDistributed({ layer: theirs({ name: "timed" }), name: "wrapper" })
    .apply(inner.apply(sum));
  return tf.model({ inputs: input, outputs: timed });
}

test("of a functional model: nested, shared and wrapped ones, each once, with weights, names and trainable", () => {
  const model = functional();
  const x = tensorOf(tf, [6, 4, 3], 1);
  const before = { y: model.predict(x), weights: model.getWeights().map((w) => w.dataSync().slice()) };
  const names = model.weights.map(({ name }) => name);
  const trainable = model.trainableWeights.map(({ name }) => name);
  const layers = [...model.layers];
  const replaced = bound.replaceBatchNormalization(model);
  expect(replaced.map(({ name }) => name).sort()).toEqual(["inner", "right", "shared", "timed"]);
  expect(replaced.every(isOurs)).toBe(true);
  expect(replaced.find(({ name }) => name === "right")!.trainable).toBe(false);
  expect(model.layers).toEqual(layers);
  expect(model.weights.map(({ name }) => name)).toEqual(names);
  expect(model.trainableWeights.map(({ name }) => name)).toEqual(trainable);
  expect(model.getWeights().map((w) => w.dataSync())).toEqual(before.weights);
  expectSame([model.predict(x)], [before.y]);
  expect(bound.replaceBatchNormalization(model)).toEqual([]);
});

test("of a compiled model: the optimizer keeps its state, and the curve goes on", async () => {
  const [model, other] = [convolutional(tf, theirs), convolutional(tf, theirs)];
  likewise(other, model);
  for (const one of [model, other]) {
    one.compile({ optimizer: tf.train.adam(0.01), loss: "categoricalCrossentropy" });
  }
  const batches = batchesOf(tf, 5);
  expect(await train(model, batches, 10)).toEqual(await train(other, batches, 10));
  bound.replaceBatchNormalization(model);
  expectNear(await train(model, batches, 10), await train(other, batches, 10), 1e-4);
});

test("of a loaded model; it gives the same predictions, and saves as TensorFlow.js's", async () => {
  const model = convolutional(tf, theirs);
  const [{ x }] = batchesOf(tf, 1) as [ReturnType<typeof batchesOf>[number]];
  const loaded = await tf.loadLayersModel(tf.io.fromMemory(await artifactsOf(tf, model)));
  expect(bound.replaceBatchNormalization(loaded)).toHaveLength(2);
  expectSame([loaded.predict(x)], [model.predict(x)]);
  expect(JSON.stringify(loaded.toJSON(null, false))).toBe(JSON.stringify(model.toJSON(null, false)));
});

test("options go to all of them", async () => {
  const model = compiled(tf, convolutional(tf, theirs));
  const layers = bound.replaceBatchNormalization(model, { virtualBatchSize: 4, renorm: { rMax: 2, dMax: 1 } });
  const own = compiled(
    tf,
    convolutional(
      tf,
      (config) => new bound.BatchNormalization({ ...config, virtualBatchSize: 4, renorm: { rMax: 2, dMax: 1 } }),
    ),
  );
  likewise(own, model);
  expect(layers.map((layer) => layer.getClassName())).toEqual(Array(2).fill("batchnorm>BatchNormalization"));
  const batches = batchesOf(tf, 3);
  expect(await train(model, batches, 5)).toEqual(await train(own, batches, 5));
});

test("a class of the caller's own stays", () => {
  const Original = theirs({}).constructor as new (config: object) => Layer;
  class Own extends Original {}
  const model = tf.sequential({ layers: [new Own({ inputShape: [3] }), theirs({})] });
  expect(bound.replaceBatchNormalization(model)).toEqual([model.layers[1]]);
  expect(model.layers[0]).toBeInstanceOf(Own);
});

test("what is no model, or one of another copy, is refused, and nothing is replaced", () => {
  const type = (part: string): Error => error("ERR_BATCHNORM_TYPE", part);
  for (const model of [undefined, null, 1, {}, { layers: 1 }]) {
    expect(() => bound.replaceBatchNormalization(model as never)).toThrow(type(`"model" expected a tf.LayersModel`));
  }
  const graph = { executor: {} };
  expect(() => bound.replaceBatchNormalization(graph as never)).toThrow(type("a tf.GraphModel, which has no layers"));
  const foreign = { getClassName: () => "BatchNormalization" };
  const model = tf.sequential({ layers: [theirs({ inputShape: [3] })] });
  expect(() => bound.replaceBatchNormalization({ layers: [model.layers[0], foreign] })).toThrow(type("another copy"));
  expect(() => bound.replaceBatchNormalization(model, { renorm: { rMax: 0, dMax: 0 } })).toThrow(/renorm.rMax/);
  expect(() => bound.replaceBatchNormalization(model, { momentum: 0.9 } as never)).toThrow(/unknown option "momentum"/);
  expect(model.layers.some(isOurs)).toBe(false);
});
