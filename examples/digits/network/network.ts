// A network of dense layers, trained by plain stochastic gradient descent on softmax cross-entropy, with or without batch
// normalization. By default it is 784–100–100–100–10, as in Ioffe & Szegedy (2015), section 4.1. Browsers can run it too.
import type { BatchNorm, BatchNormOptions } from "batchnorm";
import type { ActivationName } from "./activations.js";
import { Dense, type Trained } from "./dense.js";
import { Hidden, plainNorm, type HiddenOptions, type MakeNorm } from "./layers.js";
import { crossEntropy, crossEntropyGradient } from "./loss.js";
import { plainProducts, type Products } from "./matrix.js";
import { CLASSES, PIXELS, type Samples } from "./samples.js";

export interface NetworkOptions {
  /** Values of a sample; 784 by default. */
  readonly inputs?: number;
  /** Units of the hidden layers; three times 100 by default. */
  readonly units?: readonly number[];
  readonly activation: ActivationName;
  /** Options of the batch normalization layers, or null for a network with biases instead. */
  readonly norm: BatchNormOptions<"float32"> | null;
  /** Makes these layers; plain ones by default. */
  readonly makeNorm?: MakeNorm;
  /** Whether normalization stands before the activation, the default, or after it. */
  readonly placement?: "before" | "after";
  /** The standard deviation of all initial weights; 1/√inputs of each layer by default. */
  readonly initialStd?: number | null;
  /** The share of hidden outputs that training drops; 0 by default. */
  readonly dropout?: number;
  /** Noise on what the normalization gives in training, drawn at each step and for each unit; none by default. */
  readonly noise?: { readonly mean: number; readonly std: number } | null;
  /** The matrix products; plain loops by default. */
  readonly products?: Products;
}

export class Network {
  readonly hidden: readonly Hidden[];
  readonly output: Dense;
  #training = true;

  /** The weights are drawn from `random` here; noise and dropout go on with it. */
  constructor(
    readonly options: NetworkOptions,
    random: () => number,
  ) {
    const { inputs = PIXELS, units = [100, 100, 100], initialStd = null, products = plainProducts } = options;
    const each: HiddenOptions = {
      activation: options.activation,
      norm: options.norm,
      makeNorm: options.makeNorm ?? plainNorm,
      placement: options.placement ?? "before",
      initialStd,
      dropout: options.dropout ?? 0,
      noise: options.noise ?? null,
      products,
    };
    this.hidden = units.map((count, i) => new Hidden(units[i - 1] ?? inputs, count, each, random));
    this.output = new Dense(units.at(-1) ?? inputs, CLASSES, { bias: true, initialStd, products }, random);
  }

  get norms(): BatchNorm[] {
    return this.hidden.flatMap(({ norm }) => norm ?? []);
  }

  /** What enters the activations of the last hidden layer, one row per sample of the newest forward. */
  get lastEntering(): Float32Array {
    return this.hidden.at(-1)!.entering;
  }

  /** Rows of logits. In training, which is all but `inEvaluation`, this updates the running statistics. */
  forward(images: Float32Array, rows: number): Float32Array {
    const h = this.hidden.reduce((x, layer) => layer.forward(x, rows, this.#training), images);
    return this.output.forward(h, rows);
  }

  /** The mean cross-entropy of the samples, by a forward. */
  loss({ images, labels, count }: Samples): number {
    return crossEntropy(this.forward(images, count), labels);
  }

  /** A forward and a backward without a step. The gradients are valid until the next one. */
  gradients({ images, labels, count }: Samples): Trained[] {
    const gradient = crossEntropyGradient(this.forward(images, count), labels);
    let dh = this.output.backward(gradient, count, this.hidden.length > 0);
    for (let i = this.hidden.length - 1; dh; i--) dh = this.hidden[i]!.backward(dh, count, i === 0);
    return [...this.hidden.flatMap((layer) => layer.trained()), ...this.output.trained()];
  }

  /** One step of stochastic gradient descent on a mini-batch. */
  step(samples: Samples, rate: number, { weightDecay = 0 }: { weightDecay?: number } = {}): void {
    for (const { value, gradient, decays } of this.gradients(samples)) {
      const decay = decays ? weightDecay : 0;
      for (let i = 0; i < value.length; i++) value[i]! -= rate * (gradient[i]! + decay * value[i]!);
    }
  }

  /** Runs `use` with the running statistics in place of the batch's, and without dropout and noise. */
  inEvaluation<Result>(use: () => Result): Result {
    this.#training = false;
    for (const norm of this.norms) norm.eval();
    try {
      return use();
    } finally {
      this.#training = true;
      for (const norm of this.norms) norm.train();
    }
  }

  /** All values that training changes, running statistics included, in a fixed order. */
  parameters(): Float32Array[] {
    return [...this.hidden.flatMap((layer) => layer.parameters()), ...this.output.trained().map(({ value }) => value)];
  }

  /** Makes this network's parameters those of `source`, a network of the same sizes. */
  copyFrom(source: Network): void {
    const values = source.parameters();
    this.parameters().forEach((parameter, i) => parameter.set(values[i]!));
    this.norms.forEach((norm, i) => (norm.numBatchesTracked = source.norms[i]!.numBatchesTracked));
  }
}
