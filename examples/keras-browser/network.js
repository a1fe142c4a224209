// The network of the file: Conv2D, BatchNormalization, ReLU, GlobalAveragePooling2D, Dense. All of it can be trained.
import { load, open, save } from "batchnorm/keras";
import {
  averagePool,
  averagePoolBackward,
  convolve,
  convolveBackward,
  crossEntropy,
  dense,
  denseBackward,
  SIDE,
} from "./layers.js";

/** Where Keras's save_weights puts the variables of the layers. The numbers are those of layer.weights. */
const CONVOLUTION = "layers/conv2d/vars/0";
const NORMALIZATION = "layers/batch_normalization/";
const DENSE = ["layers/dense/vars/0", "layers/dense/vars/1"];

/** value −= rate·gradient */
function descend(value, gradient, rate) {
  for (let i = 0; i < value.length; i++) value[i] -= rate * gradient[i];
}

export class Network {
  constructor({ convolution, norm, kernel, bias }) {
    this.convolution = convolution;
    this.norm = norm;
    this.output = { kernel, bias };
  }

  /** Reads the bytes of a .weights.h5 file. */
  static async open(bytes) {
    const file = await open(bytes);
    const [convolution, kernel, bias] = await Promise.all(
      [CONVOLUTION, ...DENSE].map((name) => file.tensors.get(name).read()),
    );
    // A .weights.h5 file has no options. What the model has and Keras has not by default, is said here. The momentum is
    // Keras's: the share of the OLD statistics. 0.9 follows the new images faster than the default of 0.99.
    const norm = await load(file, NORMALIZATION, { activation: "relu", momentum: 0.9 });
    return new Network({ convolution, norm, kernel, bias });
  }

  forward(x) {
    const filters = this.norm.numFeatures;
    const shape = [x.length / SIDE / SIDE, SIDE, SIDE, filters]; // channels last, as in Keras
    const pooled = averagePool(this.norm.forward(convolve(x, this.convolution), shape), filters);
    return { pooled, logits: dense(pooled, this.output) };
  }

  /** A step of gradient descent on a batch. Returns its loss. */
  step({ x, labels }, rate) {
    const { convolution, norm, output } = this;
    norm.train();
    const { pooled, logits } = this.forward(x);
    const { loss, gradLogits } = crossEntropy(logits, labels);
    const { gradX, gradKernel, gradBias } = denseBackward(gradLogits, pooled, output);
    const back = norm.backward(averagePoolBackward(gradX, norm.numFeatures)); // through ReLU too
    descend(convolution, convolveBackward(back.gradInput, x), rate);
    descend(norm.weight, back.gradWeight, rate);
    descend(norm.bias, back.gradBias, rate);
    descend(output.kernel, gradKernel, rate);
    descend(output.bias, gradBias, rate);
    return loss;
  }

  /** The share of the images that are named rightly, with the running statistics. */
  accuracy({ x, labels }) {
    this.norm.eval();
    const { logits } = this.forward(x);
    const classes = logits.length / labels.length;
    const rightly = labels.filter((label, row) => {
      const own = logits.subarray(row * classes, (row + 1) * classes);
      return own.indexOf(Math.max(...own)) === label;
    });
    return rightly.length / labels.length;
  }

  /** The bytes of a .weights.h5 file, which model.load_weights reads. */
  save() {
    const { convolution, norm, output } = this;
    const filters = norm.numFeatures;
    return save({
      [CONVOLUTION]: { data: convolution, shape: [3, 3, 1, filters] },
      [NORMALIZATION]: norm,
      [DENSE[0]]: { data: output.kernel, shape: [filters, output.bias.length] },
      [DENSE[1]]: output.bias,
    });
  }
}
