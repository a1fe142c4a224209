// The network of Ioffe & Szegedy (2015), section 4.1: 784–100–100–100–10, trained by plain stochastic
// gradient descent on softmax cross-entropy, with or without batch normalization before each activation.
import { createHash } from "node:crypto";
import type { BatchNorm, BatchNormOptions } from "batchnorm";
import type { Activation } from "./activations.js";
import { CLASSES, PIXELS, type Samples } from "./data.js";
import { Dense, Hidden } from "./layers.js";

const UNITS = [100, 100, 100];

/** Rows of logits to the gradient of the mean cross-entropy: (softmax − one-hot)/rows. */
function crossEntropyGradient(logits: Float32Array, labels: Uint8Array): Float32Array {
  const gradient = new Float32Array(logits.length);
  labels.forEach((label, i) => {
    const row = logits.subarray(i * CLASSES, (i + 1) * CLASSES);
    const largest = Math.max(...row);
    const exponentials = Array.from(row, (logit) => Math.exp(logit - largest));
    const sum = exponentials.reduce((a, b) => a + b);
    exponentials.forEach((e, c) => {
      gradient[i * CLASSES + c] = (e / sum - (c === label ? 1 : 0)) / labels.length;
    });
  });
  return gradient;
}

export class Network {
  readonly hidden: readonly Hidden[];
  readonly output: Dense;

  /** `norm`: the options of the batch normalization layers, or null for a network with biases instead. */
  constructor(
    readonly activation: Activation,
    norm: BatchNormOptions<"float32"> | null,
    random: () => number,
  ) {
    this.hidden = UNITS.map((units, i) => new Hidden(UNITS[i - 1] ?? PIXELS, units, activation, norm, random));
    this.output = new Dense(UNITS.at(-1) ?? PIXELS, CLASSES, true, random);
  }

  get norms(): BatchNorm[] {
    return this.hidden.flatMap(({ norm }) => norm ?? []);
  }

  /** What enters the activations of the last hidden layer, one row per sample of the newest forward. */
  get lastEntering(): Float32Array {
    return this.hidden.at(-1)!.entering;
  }

  get normMilliseconds(): number {
    return this.hidden.reduce((sum, layer) => sum + layer.normMilliseconds, 0);
  }

  forward(images: Float32Array, rows: number): Float32Array {
    const h = this.hidden.reduce((x, layer) => layer.forward(x, rows), images);
    return this.output.forward(h, rows);
  }

  /** One step of stochastic gradient descent on a mini-batch. */
  step({ images, labels, count }: Samples, rate: number): void {
    const gradient = crossEntropyGradient(this.forward(images, count), labels);
    let dh: Float32Array | null = this.output.gradInput(gradient, count);
    this.output.update(gradient, count, rate);
    for (let i = this.hidden.length - 1; dh; i--) dh = this.hidden[i]!.backward(dh, count, rate, i === 0);
  }

  /** Runs `use` with the running statistics in place of the batch's. */
  inEvaluation<Result>(use: () => Result): Result {
    for (const norm of this.norms) norm.eval();
    try {
      return use();
    } finally {
      for (const norm of this.norms) norm.train();
    }
  }

  /** All trained values, running statistics included, in a fixed order. */
  parameters(): Float32Array[] {
    const ofHidden = this.hidden.flatMap(({ dense, norm }) => {
      const ofNorm = norm ? [norm.weight, norm.bias, norm.runningMean, norm.runningVar] : [];
      return [...dense.parameters(), ...ofNorm.filter((values) => values !== null)];
    });
    return [...ofHidden, ...this.output.parameters()];
  }

  /** SHA-256 of the parameters' bytes: equal exactly where every bit is. */
  hash(): string {
    const hash = createHash("sha256");
    for (const { buffer, byteOffset, byteLength } of this.parameters()) {
      hash.update(new Uint8Array(buffer, byteOffset, byteLength));
    }
    return hash.digest("hex");
  }

  /** Makes this network's parameters those of `source`, a network of the same options. */
  copyFrom(source: Network): void {
    const values = source.parameters();
    this.parameters().forEach((parameter, i) => parameter.set(values[i]!));
  }
}
