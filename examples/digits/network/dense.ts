// A dense map: it keeps its input and its gradients.
import type { Products } from "./matrix.js";
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
    return this.bias && this.gradBias
      ? [weight, { value: this.bias, gradient: this.gradBias, decays: false }]
      : [weight];
  }
}
