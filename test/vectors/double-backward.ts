// PyTorch's double backward as scripts/torch/double_backward.py wrote it: the index, the inputs it drew, its results.
import type { GradGradients, Layout } from "../../src/index.js";
import { allocate, type ArrayOf, type FloatType as DType } from "../../src/base/types.js";
import { gaussian, random } from "../../src/verify/data.js";
import type { DoubleProblem, DoubleSolution } from "../support/double-backward.js";
import { sizeOf } from "../support/reference.js";
import { readVectors } from "./read.js";

export interface DoubleCase {
  /** In memory order: channels-last puts the channels last. */
  readonly shape: readonly number[];
  readonly layout: Layout;
  readonly dtype: DType;
  readonly training: boolean;
  /** With a residual before it. */
  readonly relu: boolean;
  readonly given: readonly (keyof GradGradients<DType>)[];
  readonly mean: number;
  readonly eps: number;
  /** The first channel's weight is 0. */
  readonly zero: boolean;
  readonly seed: number;
}

export const index = readVectors<DoubleCase>("double-backward");

const axisOf = ({ shape, layout }: DoubleCase): number => (layout === "channels-last" ? shape.length - 1 : 1);

/** Results in the order of the index, as the binary holds them. */
export const expected: readonly DoubleSolution[] = index.cases.map((test) => {
  const read = (length: number): Float64Array => Float64Array.from(index.next(test.dtype, length));
  const size = sizeOf(test.shape);
  return { gradInput: read(size), gradWeight: read(test.shape[axisOf(test)]!), gradGradOutput: read(size) };
});

/** The problem of a case; a gradient that is not given is one of zeros. */
export function problemOf(test: DoubleCase): DoubleProblem {
  const { shape, dtype, training, relu, mean, eps, zero, seed } = test;
  const axis = axisOf(test);
  const channels = shape[axis]!;
  const inner = sizeOf(shape.slice(axis + 1));
  type Draw = (value: number, i: number) => number;
  const fill = (next: () => number, length: number, value: Draw): ArrayOf<DType> => {
    const data = allocate(dtype, length);
    for (let i = 0; i < length; i++) data[i] = value(next(), i);
    return data;
  };
  const elements = (offset: number, value: Draw): ArrayOf<DType> =>
    fill(gaussian(random(seed + offset)), sizeOf(shape), value);
  const table = (offset: number, value: Draw): ArrayOf<DType> => fill(random(seed + offset), channels, value);
  const present = (name: keyof GradGradients<DType>): number => (test.given.includes(name) ? 1 : 0);
  return {
    shape,
    axis,
    dtype,
    eps,
    frozen: !training,
    activation: relu ? "relu" : "none",
    residual: relu,
    isMasked: false,
    x: elements(0, (z, i) => mean + z * 2 ** ((Math.floor(i / inner) % channels) % 3)),
    dy: elements(1, (z) => z + 0.25),
    weight: table(2, (u, c) => (zero && c === 0 ? 0 : (c % 3 === 1 ? -1 : 1) * (0.25 + u))),
    bias: table(3, (u) => u - 0.5),
    running: { runningMean: table(4, (u) => mean + u), runningVar: table(5, (u) => 0.25 + u) },
    add: relu ? elements(6, (z) => z) : null,
    given: {
      gradGradInput: elements(7, (z) => present("gradGradInput") * (z - 0.5)),
      gradGradWeight: table(8, (u) => present("gradGradWeight") * (u - 0.75)),
      gradGradBias: table(9, (u) => present("gradGradBias") * (u + 0.25)),
      ...(relu && { gradGradResidual: elements(10, (z) => present("gradGradResidual") * z) }),
    },
  };
}

export function nameOf({ shape, layout, dtype, training, relu, given, zero }: DoubleCase): string {
  const mode = `${training ? "training" : "inference"}${relu ? ", ReLU of a residual sum" : ""}`;
  return `${shape.join("×")} ${layout} ${dtype} ${mode}${zero ? ", a weight of 0" : ""}: ${given.join(" ")}`;
}
