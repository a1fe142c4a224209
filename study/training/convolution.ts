// The parts of the convolutional network, in plain loops. Tensors are samples × channels × height × width.
import { gaussian } from "../../examples/digits/network/random.js";

const KERNEL = 3;

/** One weight against a part of a channel: the first places in the input and the output, and the part's size. */
type Visit = (weight: number, input: number, output: number, rows: number, columns: number) => void;

/** A 3×3 convolution of stride 2 with a border of zeros: `size` × `size`, which is even, becomes half of it. */
export class Convolution {
  readonly weight: Float32Array;
  readonly gradWeight: Float32Array;
  readonly half: number;
  #x: Float32Array = new Float32Array(0);

  constructor(
    readonly inputs: number,
    readonly outputs: number,
    readonly size: number,
    random: () => number,
  ) {
    const std = 1 / Math.sqrt(inputs * KERNEL * KERNEL);
    this.weight = Float32Array.from({ length: outputs * inputs * KERNEL * KERNEL }, () => std * gaussian(random));
    this.gradWeight = new Float32Array(this.weight.length);
    this.half = size / 2;
  }

  /** Every weight with every pair of channels that it joins. The border is left out, for it adds nothing. */
  #each(samples: number, visit: Visit): void {
    const { inputs, outputs, size, half } = this;
    for (let sample = 0; sample < samples; sample++) {
      for (let joined = 0; joined < outputs * inputs; joined++) {
        const output = Math.floor(joined / inputs);
        const input = joined % inputs;
        for (let tap = 0; tap < KERNEL * KERNEL; tap++) {
          const down = Math.floor(tap / KERNEL);
          const right = tap % KERNEL;
          const top = down === 0 ? 1 : 0;
          const left = right === 0 ? 1 : 0;
          const x = ((sample * inputs + input) * size + 2 * top + down - 1) * size + 2 * left + right - 1;
          const y = ((sample * outputs + output) * half + top) * half + left;
          visit(joined * KERNEL * KERNEL + tap, x, y, half - top, half - left);
        }
      }
    }
  }

  forward(x: Float32Array, samples: number): Float32Array {
    const { weight, size, half } = this;
    this.#x = x;
    const y = new Float32Array(samples * this.outputs * half * half);
    this.#each(samples, (w, input, output, rows, columns) => {
      const factor = weight[w]!;
      for (let r = 0; r < rows; r++) {
        const from = input + 2 * r * size;
        const to = output + r * half;
        for (let c = 0; c < columns; c++) y[to + c]! += factor * x[from + 2 * c]!;
      }
    });
    return y;
  }

  backward(dy: Float32Array, samples: number): Float32Array {
    const { weight, gradWeight, size, half } = this;
    const x = this.#x;
    const dx = new Float32Array(x.length);
    gradWeight.fill(0);
    this.#each(samples, (w, input, output, rows, columns) => {
      const factor = weight[w]!;
      let sum = 0;
      for (let r = 0; r < rows; r++) {
        const from = input + 2 * r * size;
        const to = output + r * half;
        for (let c = 0; c < columns; c++) {
          const d = dy[to + c]!;
          sum += x[from + 2 * c]! * d;
          dx[from + 2 * c]! += factor * d;
        }
      }
      gradWeight[w]! += sum;
    });
    return dx;
  }
}

/** Adds its number to each channel: what takes the place of normalization. */
export class Bias {
  readonly value: Float32Array;
  readonly gradient: Float32Array;

  constructor(readonly channels: number) {
    this.value = new Float32Array(channels);
    this.gradient = new Float32Array(channels);
  }

  forward(x: Float32Array, spatial: number): Float32Array {
    return x.map((value, p) => value + this.value[Math.floor(p / spatial) % this.channels]!);
  }

  backward(dy: Float32Array, spatial: number): Float32Array {
    this.gradient.fill(0);
    for (let p = 0; p < dy.length; p++) this.gradient[Math.floor(p / spatial) % this.channels]! += dy[p]!;
    return dy;
  }
}
