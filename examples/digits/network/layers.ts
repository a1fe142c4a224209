// The layers of the network: a dense map, and a hidden layer made of a dense map, batch normalization
// (or a bias) and an activation. Each keeps what its backward pass needs.
import { BatchNorm, type BatchNormOptions } from "batchnorm";
import { activations, type Activation, type ActivationName } from "./activations.js";
import type { Products } from "./matrix.js";
import { dropout, nothing, unitNoise, type Disturbance } from "./noise.js";
import { gaussian } from "./random.js";

/** A trained parameter and the gradient from the newest backward. */
export interface Trained {
  readonly value: Float32Array;
  readonly gradient: Float32Array;
  /** Whether weight decay shrinks it: weights of dense maps alone. */
  readonly decays: boolean;
}

export interface DenseOptions {
  readonly bias: boolean;
  /** The standard deviation of the initial weights; null for 1/√inputs. */
  readonly initialStd: number | null;
  readonly products: Products;
}

/** y = x·weight + bias, weight stored inputs × outputs. */
export class Dense {
  readonly weight: Float32Array;
  readonly bias: Float32Array | null;
  readonly gradWeight: Float32Array;
  readonly gradBias: Float32Array | null;
  readonly #products: Products;
  #x: Float32Array = new Float32Array(0);

  /**
   * Gaussian weights. Of standard deviation 1/√inputs (LeCun et al. 1998), inputs of order 1 give outputs of order 1, so
   * that the network without normalization starts outside the sigmoid's flat ends.
   */
  constructor(
    readonly inputs: number,
    readonly outputs: number,
    { bias, initialStd, products }: DenseOptions,
    random: () => number,
  ) {
    const std = initialStd ?? 1 / Math.sqrt(inputs);
    this.weight = Float32Array.from({ length: inputs * outputs }, () => std * gaussian(random));
    this.gradWeight = new Float32Array(this.weight.length);
    this.bias = bias ? new Float32Array(outputs) : null;
    this.gradBias = bias ? new Float32Array(outputs) : null;
    this.#products = products;
  }

  forward(x: Float32Array, rows: number): Float32Array {
    this.#x = x;
    const { inputs, outputs, bias } = this;
    const y = new Float32Array(rows * outputs);
    this.#products.forward({ rows, inputs, outputs }, x, this.weight, y);
    if (bias) for (let p = 0; p < y.length; p++) y[p]! += bias[p % outputs]!;
    return y;
  }

  /** The gradients of the parameters, and that of the input where it is asked for. */
  backward(dy: Float32Array, rows: number, asksInput: boolean): Float32Array | null {
    const { inputs, outputs, gradBias } = this;
    const size = { rows, inputs, outputs };
    this.#products.gradWeight(size, this.#x, dy, this.gradWeight);
    if (gradBias) {
      gradBias.fill(0);
      for (let p = 0; p < dy.length; p++) gradBias[p % outputs]! += dy[p]!;
    }
    if (!asksInput) return null;
    const dx = new Float32Array(rows * inputs);
    this.#products.gradInput(size, dy, this.weight, dx);
    return dx;
  }

  trained(): Trained[] {
    const weight = { value: this.weight, gradient: this.gradWeight, decays: true };
    return this.bias && this.gradBias ? [weight, { value: this.bias, gradient: this.gradBias, decays: false }] : [weight];
  }
}

export interface HiddenOptions {
  readonly activation: ActivationName;
  /** Options of the batch normalization; null for a bias instead. */
  readonly norm: BatchNormOptions<"float32"> | null;
  /** Where the normalization stands: before the activation, as in the paper, or after it. */
  readonly placement: "before" | "after";
  readonly initialStd: number | null;
  /** The share of the outputs that training drops. */
  readonly dropout: number;
  /** Noise on what the normalization gives. */
  readonly noise: { readonly mean: number; readonly std: number } | null;
  readonly products: Products;
}

/** Dense map, normalization or bias, activation; or dense map, activation, normalization. */
export class Hidden {
  readonly dense: Dense;
  readonly norm: BatchNorm | null;
  /** From the newest forward: what enters the normalization and the activation. Without normalization both are the same. */
  normInput: Float32Array = new Float32Array(0);
  entering: Float32Array = new Float32Array(0);
  /** From the newest backward: the gradients of the normalization's output and input. */
  normGradOutput: Float32Array = new Float32Array(0);
  normGradInput: Float32Array = new Float32Array(0);
  readonly #activation: Activation;
  readonly #afterActivation: boolean;
  readonly #noise: Disturbance;
  readonly #dropout: Disturbance;
  #normGradients: Trained[] = [];
  #h: Float32Array = new Float32Array(0);

  /** Normalization would take the dense map's bias out again, and has one of its own (Ioffe & Szegedy, 3.2). */
  constructor(inputs: number, units: number, options: HiddenOptions, random: () => number) {
    const { norm, noise, initialStd, products } = options;
    this.#afterActivation = options.placement === "after";
    // Normalized after the activation, a unit still needs its bias before it.
    this.dense = new Dense(inputs, units, { bias: norm === null || this.#afterActivation, initialStd, products }, random);
    this.norm = norm && new BatchNorm(units, norm);
    this.#activation = activations[options.activation];
    this.#noise = noise ? unitNoise(noise, random) : nothing;
    this.#dropout = options.dropout > 0 ? dropout(options.dropout, random) : nothing;
  }

  forward(x: Float32Array, rows: number, training: boolean): Float32Array {
    const z = this.dense.forward(x, rows);
    const h = this.#afterActivation
      ? this.#normalize(this.#activate(z), rows, training)
      : this.#activate(this.#normalize(z, rows, training));
    return training ? this.#dropout.forward(h, this.dense.outputs) : h;
  }

  #activate(u: Float32Array): Float32Array {
    this.entering = u;
    this.#h = this.#activation.forward(u);
    return this.#h;
  }

  #normalize(z: Float32Array, rows: number, training: boolean): Float32Array {
    const units = this.dense.outputs;
    this.normInput = z;
    const u = this.norm ? this.norm.forward(z, [rows, units]) : z;
    return training ? this.#noise.forward(u, units) : u;
  }

  /** The gradients of the parameters, and that of the input unless this is the first layer. */
  backward(dy: Float32Array, rows: number, isFirst: boolean): Float32Array | null {
    const dh = this.#dropout.backward(dy, this.dense.outputs);
    const dz = this.#afterActivation
      ? this.#activation.backward(this.#denormalize(dh), this.#h)
      : this.#denormalize(this.#activation.backward(dh, this.#h));
    return this.dense.backward(dz, rows, !isFirst);
  }

  #denormalize(du: Float32Array): Float32Array {
    this.normGradOutput = this.#noise.backward(du, this.dense.outputs);
    this.normGradInput = this.norm ? this.#normBackward(this.norm) : this.normGradOutput;
    return this.normGradInput;
  }

  #normBackward(norm: BatchNorm): Float32Array {
    const { gradInput, gradWeight, gradBias } = norm.backward(this.normGradOutput);
    this.#normGradients = [];
    if (norm.weight && gradWeight) this.#normGradients.push({ value: norm.weight, gradient: gradWeight, decays: false });
    if (norm.bias && gradBias) this.#normGradients.push({ value: norm.bias, gradient: gradBias, decays: false });
    return gradInput;
  }

  trained(): Trained[] {
    return [...this.dense.trained(), ...this.#normGradients];
  }

  /** All values that training changes, running statistics included. */
  parameters(): Float32Array[] {
    const { dense, norm } = this;
    const ofNorm = norm ? [norm.weight, norm.bias, norm.runningMean, norm.runningVar] : [];
    return [dense.weight, dense.bias, ...ofNorm].filter((values) => values !== null);
  }
}
