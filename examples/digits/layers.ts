// The layers of the network: a dense map, and a hidden layer made of a dense map, batch normalization
// (or a bias) and an activation. Each keeps what its backward pass needs.
import { BatchNorm, type BatchNormOptions } from "batchnorm";
import type { Activation } from "./activations.js";
import { addProduct, matrix, transpose, transposed } from "./matrix.js";
import { gaussian } from "./random.js";

function descend(parameters: Float32Array, gradient: Float32Array, rate: number): void {
  for (let i = 0; i < parameters.length; i++) parameters[i]! -= rate * gradient[i]!;
}

/** y = x·weight + bias, weight stored inputs × outputs. */
export class Dense {
  readonly weight: Float32Array;
  readonly bias: Float32Array | null;
  #x: Float32Array = new Float32Array(0);

  /**
   * Gaussian weights of standard deviation 1/√inputs (LeCun et al. 1998): inputs of order 1 give outputs of
   * order 1, so the network without normalization starts outside the sigmoid's flat ends.
   */
  constructor(
    readonly inputs: number,
    readonly outputs: number,
    bias: boolean,
    random: () => number,
  ) {
    const std = 1 / Math.sqrt(inputs);
    this.weight = Float32Array.from({ length: inputs * outputs }, () => std * gaussian(random));
    this.bias = bias ? new Float32Array(outputs) : null;
  }

  forward(x: Float32Array, rows: number): Float32Array {
    this.#x = x;
    const y = new Float32Array(rows * this.outputs);
    if (this.bias) for (let i = 0; i < rows; i++) y.set(this.bias, i * this.outputs);
    addProduct(matrix(x, rows, this.inputs), this.weight, y, this.outputs);
    return y;
  }

  /** The gradient of the input, from the weights as they were in forward. */
  gradInput(dy: Float32Array, rows: number): Float32Array {
    const dx = new Float32Array(rows * this.inputs);
    addProduct(matrix(dy, rows, this.outputs), transpose(this.weight, this.inputs, this.outputs), dx, this.inputs);
    return dx;
  }

  /** One step of gradient descent: dweight = xᵀ·dy, dbias = the column sums of dy. */
  update(dy: Float32Array, rows: number, rate: number): void {
    const gradWeight = new Float32Array(this.weight.length);
    addProduct(transposed(matrix(this.#x, rows, this.inputs)), dy, gradWeight, this.outputs);
    descend(this.weight, gradWeight, rate);
    if (!this.bias) return;
    const gradBias = new Float32Array(this.outputs);
    for (let p = 0; p < dy.length; p++) gradBias[p % this.outputs]! += dy[p]!;
    descend(this.bias, gradBias, rate);
  }

  parameters(): Float32Array[] {
    return this.bias ? [this.weight, this.bias] : [this.weight];
  }
}

/** h = activation(norm(x·weight)), or activation(x·weight + bias) where `norm` is null. */
export class Hidden {
  readonly dense: Dense;
  readonly norm: BatchNorm | null;
  /** What enters the activation, from the newest forward. */
  entering: Float32Array = new Float32Array(0);
  /** Time the training steps have spent in batch normalization. */
  normMilliseconds = 0;
  #h: Float32Array = new Float32Array(0);

  /** Normalization would take the dense map's bias out again, and has one of its own (Ioffe & Szegedy, 3.2). */
  constructor(
    inputs: number,
    units: number,
    readonly activation: Activation,
    norm: BatchNormOptions<"float32"> | null,
    random: () => number,
  ) {
    this.dense = new Dense(inputs, units, norm === null, random);
    this.norm = norm && new BatchNorm(units, norm);
  }

  forward(x: Float32Array, rows: number): Float32Array {
    const z = this.dense.forward(x, rows);
    this.entering = this.norm ? this.#normalize(this.norm, z, rows) : z;
    this.#h = this.entering.map(this.activation.value);
    return this.#h;
  }

  #normalize(norm: BatchNorm, z: Float32Array, rows: number): Float32Array {
    const start = performance.now();
    const u = norm.forward(z, [rows, norm.numFeatures]);
    if (norm.training) this.normMilliseconds += performance.now() - start;
    return u;
  }

  /** Takes a step along the gradient; returns the gradient of the input unless this is the first layer. */
  backward(dh: Float32Array, rows: number, rate: number, first: boolean): Float32Array | null {
    const du = dh.map((d, i) => d * this.activation.slope(this.#h[i]!));
    const dz = this.norm ? this.#denormalize(this.norm, du, rate) : du;
    const dx = first ? null : this.dense.gradInput(dz, rows);
    this.dense.update(dz, rows, rate);
    return dx;
  }

  #denormalize(norm: BatchNorm, du: Float32Array, rate: number): Float32Array {
    const start = performance.now();
    const { gradInput, gradWeight, gradBias } = norm.backward(du);
    this.normMilliseconds += performance.now() - start;
    if (norm.weight && gradWeight) descend(norm.weight, gradWeight, rate);
    if (norm.bias && gradBias) descend(norm.bias, gradBias, rate);
    return gradInput;
  }
}
