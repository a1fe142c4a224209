// A small convolutional network: two 3×3 convolutions that halve the image, each with batch normalization over its
// channels and ReLU, and a dense map.
import { BatchNorm, type BatchNormOptions } from "batchnorm";
import { activations } from "../../examples/digits/network/activations.js";
import { Dense, type Trained } from "../../examples/digits/network/dense.js";
import { crossEntropy, crossEntropyGradient } from "../../examples/digits/network/loss.js";
import { plainProducts } from "../../examples/digits/network/matrix.js";
import { CLASSES, type Samples } from "../../examples/digits/network/samples.js";
import { Bias, Convolution } from "./convolution.js";

const IMAGE = 28;
const CHANNELS = [4, 8] as const;
const { relu } = activations;

/** Convolution, normalization or bias, ReLU. */
class Block {
  readonly norm: BatchNorm | null;
  readonly #bias: Bias;
  #h: Float32Array = new Float32Array(0);
  #trained: Trained[] = [];

  constructor(
    readonly convolution: Convolution,
    norm: BatchNormOptions<"float32"> | null,
  ) {
    this.norm = norm && new BatchNorm(convolution.outputs, norm);
    this.#bias = new Bias(convolution.outputs);
  }

  forward(x: Float32Array, samples: number): Float32Array {
    const { outputs, half } = this.convolution;
    const z = this.convolution.forward(x, samples);
    const shape = [samples, outputs, half, half];
    this.#h = relu.forward(this.norm ? this.norm.forward(z, shape) : this.#bias.forward(z, half * half));
    return this.#h;
  }

  backward(dh: Float32Array, samples: number): Float32Array {
    const du = relu.backward(dh, this.#h);
    return this.convolution.backward(this.norm ? this.#normBackward(this.norm, du) : this.#biasBackward(du), samples);
  }

  #normBackward(norm: BatchNorm, du: Float32Array): Float32Array {
    const { gradInput, gradWeight, gradBias } = norm.backward(du);
    this.#trained = [];
    if (norm.weight && gradWeight) this.#trained.push({ value: norm.weight, gradient: gradWeight, decays: false });
    if (norm.bias && gradBias) this.#trained.push({ value: norm.bias, gradient: gradBias, decays: false });
    return gradInput;
  }

  #biasBackward(du: Float32Array): Float32Array {
    const { value, gradient } = this.#bias;
    this.#trained = [{ value, gradient, decays: false }];
    return this.#bias.backward(du, this.convolution.half ** 2);
  }

  trained(): Trained[] {
    const { weight, gradWeight } = this.convolution;
    return [{ value: weight, gradient: gradWeight, decays: true }, ...this.#trained];
  }

  parameters(): Float32Array[] {
    const { norm } = this;
    const rest = norm ? [norm.weight, norm.bias, norm.runningMean, norm.runningVar] : [this.#bias.value];
    return [this.convolution.weight, ...rest.filter((values) => values !== null)];
  }
}

export class ConvolutionalNetwork {
  readonly blocks: readonly Block[];
  readonly output: Dense;

  constructor(norm: BatchNormOptions<"float32"> | null, random: () => number) {
    this.blocks = CHANNELS.map((channels, i) => {
      const convolution = new Convolution(CHANNELS[i - 1] ?? 1, channels, IMAGE / 2 ** i, random);
      return new Block(convolution, norm);
    });
    const last = this.blocks.at(-1)!.convolution;
    const options = { bias: true, initialStd: null, products: plainProducts };
    this.output = new Dense(last.outputs * last.half ** 2, CLASSES, options, random);
  }

  get norms(): BatchNorm[] {
    return this.blocks.flatMap(({ norm }) => norm ?? []);
  }

  forward(images: Float32Array, samples: number): Float32Array {
    const h = this.blocks.reduce((x, block) => block.forward(x, samples), images);
    return this.output.forward(h, samples);
  }

  loss({ images, labels, count }: Samples): number {
    return crossEntropy(this.forward(images, count), labels);
  }

  gradients({ images, labels, count }: Samples): Trained[] {
    const gradient = crossEntropyGradient(this.forward(images, count), labels);
    let dh = this.output.backward(gradient, count, true)!;
    for (const block of [...this.blocks].reverse()) dh = block.backward(dh, count);
    return [...this.blocks.flatMap((block) => block.trained()), ...this.output.trained()];
  }

  step(samples: Samples, rate: number): void {
    for (const { value, gradient } of this.gradients(samples)) {
      for (let i = 0; i < value.length; i++) value[i]! -= rate * gradient[i]!;
    }
  }

  inEvaluation<Result>(use: () => Result): Result {
    for (const norm of this.norms) norm.eval();
    try {
      return use();
    } finally {
      for (const norm of this.norms) norm.train();
    }
  }

  parameters(): Float32Array[] {
    return [...this.blocks.flatMap((block) => block.parameters()), ...this.output.trained().map(({ value }) => value)];
  }
}
