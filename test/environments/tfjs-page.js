// What a page with TensorFlow.js on a GPU's backend runs: this library's operation and layer beside TensorFlow.js's own.

/** Sums of twelve numbers of a linear congruential generator: about normal, and the same in every run. */
function normals(length, seed) {
  let state = seed;
  const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  return Float32Array.from({ length }, () => Array.from({ length: 12 }, next).reduce((a, b) => a + b, -6));
}

/** The largest difference, as a part of the largest expected value. */
function distance(got, expected) {
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-3);
  if (got.length !== expected.length) return Infinity;
  return expected.reduce((worst, value, i) => {
    const error = Math.abs(got[i] - value) / largest;
    return Number.isNaN(error) ? Infinity : Math.max(worst, error);
  }, 0);
}

const sizeOf = (shape) => shape.reduce((a, b) => a * b, 1);

/** Tensors of an operation with the channels last. */
function operandsOf(tf, shape) {
  const tensor = (dims, seed, offset = 0, scale = 1) =>
    tf.tensor(
      normals(sizeOf(dims), seed).map((value) => offset + scale * value),
      dims,
    );
  const channels = [shape.at(-1)];
  const [x, dy] = [tensor(shape, 1, 3, 2), tensor(shape, 2)];
  const [gamma, beta] = [tensor(channels, 3, 1, 0.3), tensor(channels, 4)];
  return { x, dy, gamma, beta, mean: tensor(channels, 5), variance: tf.square(tensor(channels, 6, 1, 0.2)) };
}

/** Forward and gradients, in training and in inference. */
async function compareOperation(tf, { batchNorm, batchNormAsync }, shape) {
  const { x, dy, gamma, beta, mean, variance } = operandsOf(tf, shape);
  const axes = shape.map((_, i) => i).slice(0, -1);
  const moving = { movingMean: mean, movingVariance: variance };
  const ours = {
    training: (x, gamma, beta) => batchNorm(x, { training: true, gamma, beta }),
    inference: (x, gamma, beta) => batchNorm(x, { gamma, beta, ...moving }),
  };
  const theirs = {
    training: (x, gamma, beta) => {
      const moments = tf.moments(x, axes);
      return tf.batchNorm(x, moments.mean, moments.variance, beta, gamma, 1e-3);
    },
    inference: (x, gamma, beta) => tf.batchNorm(x, mean, variance, beta, gamma, 1e-3),
  };
  let worst = 0;
  const compare = async (got, expected) => {
    for (const [i, tensor] of got.entries())
      worst = Math.max(worst, distance(await tensor.data(), await expected[i].data()));
  };
  for (const mode of ["training", "inference"]) {
    const inputs = [x, gamma, beta];
    await compare([ours[mode](...inputs)], [theirs[mode](...inputs)]);
    await compare(tf.grads(ours[mode])(inputs, dy), tf.grads(theirs[mode])(inputs, dy));
    const awaited = await batchNormAsync(x, {
      training: mode === "training",
      gamma,
      beta,
      ...(mode !== "training" && moving),
    });
    await compare([awaited], [theirs[mode](...inputs)]);
  }
  return worst;
}

/** A network for images of two channels and three classes, with the weights of another one if there is one. */
function networkOf(tf, norm, like) {
  const conv = (filters, config = {}) => tf.layers.conv2d({ filters, kernelSize: 3, useBias: false, ...config });
  const model = tf.sequential({
    layers: [
      conv(4, { inputShape: [6, 6, 2] }),
      norm({ momentum: 0.9 }),
      tf.layers.activation({ activation: "relu" }),
      conv(5),
      norm({ momentum: 0.8 }),
      tf.layers.activation({ activation: "relu" }),
      tf.layers.flatten({}),
      tf.layers.dense({ units: 3, activation: "softmax" }),
    ],
  });
  model.setWeights(
    (like ?? model).getWeights().map((weight, i) => {
      if (like || weight.shape.length < 2) return weight;
      const scale = 1 / Math.sqrt(sizeOf(weight.shape.slice(0, -1)));
      return tf.tensor(
        normals(sizeOf(weight.shape), 100 + i).map((value) => scale * value),
        weight.shape,
      );
    }),
  );
  model.compile({ optimizer: tf.train.sgd(0.05), loss: "categoricalCrossentropy" });
  return model;
}

/** The largest difference of the losses, the first and the last loss, and of the predictions after the training. */
async function compareTraining(tf, { BatchNormalization, replaceBatchNormalization }, steps) {
  const theirs = networkOf(tf, (config) => tf.layers.batchNormalization(config));
  const ours = networkOf(tf, (config) => new BatchNormalization(config), theirs);
  const batches = [0, 1, 2].map((i) => {
    const classes = Array.from({ length: 16 }, (_, n) => (n + i) % 3);
    const x = normals(16 * 72, 10 + i).map((value, at) => value + (at % 3 === classes[Math.floor(at / 72)] ? 1 : 0));
    const y = Float32Array.from({ length: 48 }, (_, at) => (at % 3 === classes[Math.floor(at / 3)] ? 1 : 0));
    return [tf.tensor(x, [16, 6, 6, 2]), tf.tensor(y, [16, 3])];
  });
  const losses = [];
  let apart = 0;
  let tensors = 0;
  for (let step = 0; step < steps; step++) {
    const [x, y] = batches[step % 3];
    const [own, other] = [await ours.trainOnBatch(x, y), await theirs.trainOnBatch(x, y)];
    losses.push(own);
    apart = Math.max(apart, Math.abs(own - other));
    // The first steps make the variables of the model and of the optimizer.
    if (step === 3) tensors = tf.memory().numTensors;
  }
  const leaked = tf.memory().numTensors - tensors;
  const [x] = batches[0];
  const predicted = async (model) => await model.predict(x).data();
  const before = await predicted(theirs);
  const predictions = distance(await predicted(ours), before);
  const replaced = replaceBatchNormalization(theirs).length;
  const exchanged = distance(await predicted(theirs), before);
  return { apart, first: losses[0], last: losses.at(-1), leaked, predictions, replaced, exchanged };
}

/** On a backend whose tensors can be read at once. */
export async function reportSynchronous(tf, bound) {
  const shapes = [
    [12, 5],
    [4, 5, 6, 3],
  ];
  let operation = 0;
  for (const shape of shapes) operation = Math.max(operation, await compareOperation(tf, bound, shape));
  return { backend: tf.getBackend(), operation, training: await compareTraining(tf, bound, 30) };
}

/** On a backend whose tensors can only be awaited. */
export async function reportAsynchronous(tf, { batchNorm, batchNormAsync }) {
  const { x, gamma, beta, mean, variance } = operandsOf(tf, [4, 5, 6, 3]);
  const moving = { movingMean: mean, movingVariance: variance };
  let refused = null;
  try {
    batchNorm(x, { gamma, beta, ...moving });
  } catch ({ code }) {
    refused = code;
  }
  const inference = await batchNormAsync(x, { gamma, beta, ...moving });
  const ours = [inference, await batchNormAsync(x, { training: true, gamma, beta })];
  const moments = tf.moments(x, [0, 1, 2]);
  const theirs = [
    tf.batchNorm(x, mean, variance, beta, gamma, 1e-3),
    tf.batchNorm(x, moments.mean, moments.variance, beta, gamma, 1e-3),
  ];
  let operation = 0;
  for (const [i, y] of ours.entries())
    operation = Math.max(operation, distance(await y.data(), await theirs[i].data()));
  const variables = [tf.variable(mean), tf.variable(variance)];
  const options = { training: true, momentum: 0.75, movingMean: variables[0], movingVariance: variables[1] };
  (await batchNormAsync(x, options)).dispose();
  const moved = [tf.add(tf.mul(mean, 0.75), tf.mul(moments.mean, 0.25))];
  operation = Math.max(operation, distance(await variables[0].data(), await moved[0].data()));
  return { backend: tf.getBackend(), operation, refused };
}
