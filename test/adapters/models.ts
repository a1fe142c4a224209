// Small models with batch normalizations, and their training.
import { tensorOf } from "./data.js";
import type { Layer, Model, Tensor, Tf } from "./tensorflow.js";

export type MakeNorm = (config: object) => Layer;

/** Convolution, normalization, ReLU, twice; then a class of three. */
export function convolutional(tf: Tf, norm: MakeNorm): Model {
  const conv = (filters: number, config: object = {}): Layer =>
    tf.layers.conv2d({ filters, kernelSize: 3, useBias: false, ...config });
  const model = tf.sequential({
    layers: [
      conv(4, { inputShape: [6, 6, 2] }),
      norm({ name: "first", momentum: 0.9 }),
      tf.layers.activation({ activation: "relu" }),
      conv(5),
      norm({ name: "second", momentum: 0.8, betaRegularizer: "l1l2" }),
      tf.layers.activation({ activation: "relu" }),
      tf.layers.flatten({}),
      tf.layers.dense({ units: 3, activation: "softmax" }),
    ],
  });
  return compiled(tf, seeded(tf, model));
}

/** Without convolutions, whose gradient TensorFlow.js's WebAssembly backend has not. The axes stay four. */
export function dense(tf: Tf, norm: MakeNorm): Model {
  const model = tf.sequential({
    layers: [
      tf.layers.dense({ units: 6, inputShape: [6, 6, 2], useBias: false }),
      norm({ name: "first", momentum: 0.9 }),
      tf.layers.activation({ activation: "relu" }),
      tf.layers.flatten({}),
      tf.layers.dense({ units: 8, useBias: false }),
      norm({ name: "second", momentum: 0.8, betaRegularizer: "l1l2" }),
      tf.layers.activation({ activation: "relu" }),
      tf.layers.dense({ units: 3, activation: "softmax" }),
    ],
  });
  return compiled(tf, seeded(tf, model));
}

/** The same weights in every run: of others, a hundred steps may lead further apart. Vectors keep their zeros and ones. */
function seeded(tf: Tf, model: Model): Model {
  const drawn = model.getWeights().map((weight, i) => {
    const fanIn = weight.shape.slice(0, -1).reduce((a, b) => a * b, 1);
    return weight.shape.length < 2 ? weight : tensorOf(tf, weight.shape, 100 + i, 0, 1 / Math.sqrt(fanIn));
  });
  model.setWeights(drawn);
  return model;
}

export function compiled(tf: Tf, model: Model, rate = 0.05): Model {
  model.compile({ optimizer: tf.train.sgd(rate), loss: "categoricalCrossentropy" });
  return model;
}

/** Gives a model the weights of another one of the same form. */
export function likewise(model: Model, other: Model): Model {
  model.setWeights(other.getWeights());
  return model;
}

export interface Batch {
  readonly x: Tensor;
  readonly y: Tensor;
}

/** Batches of 16 random images, whose class is where most of their light is. */
export function batchesOf(tf: Tf, count: number): Batch[] {
  return Array.from({ length: count }, (_, i) => {
    const x = tensorOf(tf, [16, 6, 6, 2], 100 + i, 0.5, 1.5);
    const values = x.dataSync();
    const y = new Float32Array(48);
    for (let n = 0; n < 16; n++) {
      const image = [...values.subarray(72 * n, 72 * n + 72)];
      const thirds = [0, 24, 48].map((at) => image.slice(at, at + 24).reduce((a, b) => a + b, 0));
      y[3 * n + thirds.indexOf(Math.max(...thirds))] = 1;
    }
    return { x, y: tf.tensor(y, [16, 3]) };
  });
}

/** The loss at each step. */
export async function train(model: Model, batches: readonly Batch[], steps: number): Promise<number[]> {
  const losses: number[] = [];
  for (let i = 0; i < steps; i++) {
    const { x, y } = batches[i % batches.length]!;
    losses.push(await model.trainOnBatch(x, y));
  }
  return losses;
}
