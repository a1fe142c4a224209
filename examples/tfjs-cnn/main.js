// A convolutional network of TensorFlow.js with the layer of this library: `npm install && npm start`.
import * as tf from "@tensorflow/tfjs";
import { bindTfjs } from "batchnorm/tfjs";
import { images } from "./images.js";

const { BatchNormalization, replaceBatchNormalization } = bindTfjs(tf);

/** Convolution, normalization, ReLU. The normalization has a bias, so the convolution needs none. */
const block = (filters, config = {}) => [
  tf.layers.conv2d({ filters, kernelSize: 3, padding: "same", useBias: false, ...config }),
  new BatchNormalization({ momentum: 0.9 }),
  tf.layers.reLU(),
];

const model = tf.sequential({
  layers: [
    ...block(8, { inputShape: [8, 8, 1] }),
    tf.layers.maxPooling2d({ poolSize: 2 }),
    ...block(16),
    tf.layers.globalMaxPooling2d({}),
    tf.layers.dense({ units: 3, activation: "softmax" }),
  ],
});
model.compile({ optimizer: tf.train.adam(0.02), loss: "categoricalCrossentropy", metrics: ["accuracy"] });

const training = images(256, 1);
const test = images(96, 2);
await model.fit(training.x, training.y, {
  epochs: 5,
  batchSize: 32,
  verbose: 0,
  callbacks: {
    onEpochEnd: (epoch, { loss, acc }) =>
      console.log(`epoch ${epoch + 1}: loss ${loss.toFixed(3)}, accuracy ${acc.toFixed(2)}`),
  },
});
const [, accuracy] = model.evaluate(test.x, test.y);
console.log(`accuracy on new images: ${accuracy.dataSync()[0].toFixed(2)}`);

// The saved model is one of TensorFlow.js: it loads without this library. Its layers can be replaced again.
let saved;
await model.save(
  tf.io.withSaveHandler(async (artifacts) => {
    saved = artifacts;
    return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: "JSON" } };
  }),
);
const loaded = await tf.loadLayersModel(tf.io.fromMemory(saved));
const difference = () =>
  tf.tidy(() => tf.max(tf.abs(tf.sub(loaded.predict(test.x), model.predict(test.x)))).dataSync()[0]);
console.log(`loaded by TensorFlow.js alone, predictions differ by ${difference().toExponential(0)}`);
const replaced = replaceBatchNormalization(loaded);
console.log(`${replaced.length} layers replaced, predictions differ by ${difference()}`);
