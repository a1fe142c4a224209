// The tensors of the sweep over sizes. The name of each is its dimensions.
import type { Layout } from "batchnorm";
import { lengthOf, OPERATIONS, shapes, type NetworkShape } from "./shapes.js";
import type { Options } from "./options.js";
import { isWhole } from "./selection.js";

/** Every tensor of the sweep has this many channels, at axis 1. */
export const SIZES_CHANNELS = 64;

/** Values per channel: with 64 channels, a tensor has from 10³ to 10⁸ values. */
const VALUES = [16, 32, 80, 160, 320, 800, 1600, 3200, 8000, 16_000, 50_000, 160_000, 500_000, 1_600_000];
/** A run of everything takes every other size, and the largest. */
const FEWER_VALUES = VALUES.filter((_, i) => i % 2 === 0);
/** The oracle is timed up to this many values, several times a last-level cache: larger tensors take it seconds. */
export const ENOUGH = 3.3e7;
/** Up to this many values, about 45×45, a plane grows; from here on, the number of samples grows. */
export const LARGEST_PLANE = 2000;

interface Place {
  readonly shape: NetworkShape;
  readonly layout: Layout;
}

function tensor(values: number): Place {
  let samples = Math.ceil(values / LARGEST_PLANE);
  while (values % samples !== 0) samples++;
  const shape = [samples, SIZES_CHANNELS, values / samples] as const;
  return { shape: { name: shape.join("×"), shape, operations: OPERATIONS }, layout: "channels-first" };
}

/**
 * A run of everything has some of the sizes, unless it is a quick one; `--only sizes` has all of them. The largest come
 * first: a small call is JavaScript in good part, which the compiler has optimized by then.
 */
export function sweepsOf({ selection, quick }: Pick<Options, "selection" | "quick">): Place[] {
  const isNamed = selection.extra?.includes("sizes") ?? false;
  if (!isNamed && (quick || !isWhole(selection))) return [];
  const values = isNamed ? VALUES : [...FEWER_VALUES, VALUES.at(-1)];
  return values.map(tensor).sort((a, b) => lengthOf(b.shape) - lengthOf(a.shape));
}

/** N, C and what comes after, of a shape by its name. */
export function dimensionsOf(name: string): readonly number[] {
  return shapes.find((known) => known.name === name)?.shape ?? name.split("×").map(Number);
}

/** Whether a row with that name of a shape is of a sweep. */
export function isSweep({ shape }: { readonly shape: string }): boolean {
  return shape.includes("×");
}
