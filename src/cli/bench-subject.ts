// What bench times: one tensor, and the operations of a backend on it.
import { BatchNorm } from "../layer/batch-norm.js";
import type { BackendName } from "../backends/candidates.js";
import type { Layout } from "../base/axes.js";

export const OPERATIONS = ["forward", "inference", "backward"] as const;
export type Operation = (typeof OPERATIONS)[number];

export interface Shape {
  readonly shape: readonly number[];
  readonly layout: Layout;
}

export const SHAPES: readonly Shape[] = [
  { shape: [32, 64, 56, 56], layout: "channels-first" },
  { shape: [32, 256, 14, 14], layout: "channels-first" },
  { shape: [6272, 64], layout: "channels-last" },
  { shape: [8, 16, 8, 8], layout: "channels-first" },
];

/** These take some ten times as long as the others: on larger tensors they would leave no time for those. */
const SLOW: readonly BackendName[] = ["native/scalar", "oracle"];
const SLOW_SIZE = 500_000;

export const sizeOf = ({ shape }: Shape): number => shape.reduce((product, length) => product * length, 1);

export function isTimed(backend: BackendName, shape: Shape): boolean {
  return !SLOW.includes(backend) || sizeOf(shape) <= SLOW_SIZE;
}

/** The arrays that all operations on one shape use: fresh ones would cost more in page faults than the work. */
export interface Arrays {
  readonly x: Float32Array;
  readonly gradOutput: Float32Array;
  readonly output: Float32Array;
  readonly gradInput: Float32Array;
}

/** Deterministic and ordinary: mean 3, between 1 and 5, of no short period. */
function fill(array: Float32Array, mean: number): void {
  let state = 1;
  for (let i = 0; i < array.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    array[i] = mean + state / 2 ** 30;
  }
}

export function arraysOf(shape: Shape): Arrays {
  const array = (): Float32Array => new Float32Array(sizeOf(shape));
  const arrays = { x: array(), gradOutput: array(), output: array(), gradInput: array() };
  fill(arrays.x, 3);
  fill(arrays.gradOutput, 0);
  return arrays;
}

/** Runs an operation once and returns the milliseconds it took. */
export type Timed = () => number;

function time(work: () => void): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}

export function copyOf({ x, output }: Arrays): Timed {
  return () => time(() => output.set(x));
}

/** The operations of a backend. Each backward has a forward before it, which is not timed. */
export function operationsOf(
  backend: BackendName,
  { shape, layout }: Shape,
  arrays: Arrays,
): Readonly<Record<Operation, Timed>> {
  const { x, gradOutput, output: out, gradInput } = arrays;
  const channels = shape[layout === "channels-last" ? shape.length - 1 : 1]!;
  const training = new BatchNorm(channels, { layout, backend });
  const inference = new BatchNorm(channels, { layout, backend }).eval();
  const forward = (): void => void training.forward(x, shape, { out });
  return {
    forward: () => time(forward),
    inference: () => time(() => void inference.forward(x, shape, { out })),
    backward: () => {
      forward();
      return time(() => void training.backward(gradOutput, { out: gradInput }));
    },
  };
}
