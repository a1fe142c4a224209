// What the cases of batch normalization with an activation behind it share: the order of PyTorch's results in the binary, and
// the data that scripts/torch/generator.py draws from the case's seed.
import type { Layout } from "../../src/index.js";
import { allocate, type FloatType, type Floats } from "../../src/base/types.js";
import { gaussian, random } from "../../src/verify/data.js";
import { sizeOf } from "../support/reference.js";
import type { Vectors } from "./read.js";

export interface ActivationCase {
  /** In memory order: channels-last puts the channels last. */
  readonly shape: readonly number[];
  readonly layout: Layout;
  readonly dtype: FloatType;
  readonly training: boolean;
  readonly seed: number;
}

export const channelsOf = ({ shape, layout }: ActivationCase): number =>
  shape[layout === "channels-last" ? shape.length - 1 : 1]!;

type Expected = Readonly<Record<"y" | "gradInput" | "gradWeight" | "gradBias", Floats>> &
  Readonly<Partial<Record<"gradResidual", Floats>>>;

/** The next results of the binary: those of a case. */
export function nextResults<Case extends ActivationCase>(
  index: Vectors<Case>,
  one: Case,
  hasResidual: boolean,
): Expected {
  const [size, channels] = [sizeOf(one.shape), channelsOf(one)];
  const read = (length: number): Floats => index.next(one.dtype, length);
  const [y, gradInput, gradWeight, gradBias] = [read(size), read(size), read(channels), read(channels)] as const;
  return { y, gradInput, gradWeight, gradBias, ...(hasResidual && { gradResidual: read(size) }) };
}

type Draw = (value: number, i: number) => number;

interface Drawn {
  readonly x: Floats;
  readonly dy: Floats;
  readonly running: { readonly runningMean: Floats; readonly runningVar: Floats };
  /** Other normal values, as many as x has. */
  readonly elements: (offset: number, value: Draw) => Floats;
  /** Other uniform values, one for each channel. */
  readonly table: (offset: number, value: Draw) => Floats;
}

/** The data of a case. What an offset is added to is the seed. */
export function drawn(one: ActivationCase): Drawn {
  const { shape, layout, dtype, seed } = one;
  const channels = channelsOf(one);
  const inner = layout === "channels-last" ? 1 : sizeOf(shape.slice(2));
  const fill = (next: () => number, length: number, value: Draw): Floats =>
    allocate(dtype, length).map((_, i) => value(next(), i));
  const elements: Drawn["elements"] = (offset, value) => fill(gaussian(random(seed + offset)), sizeOf(shape), value);
  const table: Drawn["table"] = (offset, value) => fill(random(seed + offset), channels, value);
  return {
    x: elements(0, (z, i) => 2 + z * 2 ** ((Math.floor(i / inner) % channels) % 3)),
    dy: elements(1, (z) => z + 0.25),
    running: { runningMean: table(4, (u) => 2 + u), runningVar: table(5, (u) => 0.25 + u) },
    elements,
    table,
  };
}
