// A hidden layer: a dense map, batch normalization (or a bias) and an activation. It keeps what its backward pass needs.
import { BatchNorm, type BatchNormOptions } from "batchnorm";
import { activations, type Activation, type ActivationName } from "./activations.js";
import { Dense, type DenseOptions, type Trained } from "./dense.js";
import { dropout, nothing, unitNoise, type Disturbance } from "./noise.js";

/** Makes the batch normalization of so many units. */
export type MakeNorm = (units: number, options: BatchNormOptions<"float32">) => BatchNorm;

export const plainNorm: MakeNorm = (units, options) => new BatchNorm(units, options);

export interface HiddenOptions extends Omit<DenseOptions, "bias"> {
  readonly activation: ActivationName;
  /** Options of the batch normalization; null for a bias instead. */
  readonly norm: BatchNormOptions<"float32"> | null;
  readonly makeNorm: MakeNorm;
  /** Where the normalization stands: before the activation, as in the paper, or after it. */
  readonly placement: "before" | "after";
  /** The share of the outputs that training drops. */
  readonly dropout: number;
  /** Noise on what the normalization gives. */
  readonly noise: { readonly mean: number; readonly std: number } | null;
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
    const { norm, makeNorm, noise, initialStd, products } = options;
    this.#afterActivation = options.placement === "after";
    // Normalized after the activation, a unit still needs its bias before it.
    this.dense = new Dense(
      inputs,
      units,
      { bias: norm === null || this.#afterActivation, initialStd, products },
      random,
    );
    this.norm = norm && makeNorm(units, norm);
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
    if (norm.weight && gradWeight)
      this.#normGradients.push({ value: norm.weight, gradient: gradWeight, decays: false });
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
