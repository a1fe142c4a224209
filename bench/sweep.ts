// Tensors of every size, for time over size and for the fitted costs. The name of each is its dimensions.
import type { Layout } from "batchnorm";
import { lengthOf, OPERATIONS, shapes, type NetworkShape } from "./shapes.js";
import type { Options } from "./options.js";
import { isWhole } from "./selection.js";

/** Of the sweep over sizes alone. */
export const SIZES_CHANNELS = 64;
const OTHER_CHANNELS = [16, 256, 1024];

/** Values a channel: with 64 channels from 10³ to 10⁸ in all. */
const VALUES = [16, 32, 80, 160, 320, 800, 1600, 3200, 8000, 16_000, 50_000, 160_000, 500_000, 1_600_000];
/** Every other one is enough to tell channels from elements, and with the last for a whole run. */
const FEWER_VALUES = VALUES.filter((_, i) => i % 2 === 0);
/** Values in all where nothing is learnt from more: several times a last-level cache. */
export const ENOUGH = 3.3e7;
/** The largest planes, about 45×45: up to here a plane grows, from here on the number of samples. */
export const LARGEST_PLANE = 2000;

/** What is timed at size zero: a tensor without samples, and the smallest that training takes. */
export const EMPTY = shapeOf([0, SIZES_CHANNELS, 16]);
export const SMALLEST = shapeOf([1, 1, 2]);

interface Place {
  readonly shape: NetworkShape;
  readonly layout: Layout;
}

function shapeOf(shape: readonly [number, number, number]): NetworkShape {
  return { name: shape.join("×"), shape, operations: OPERATIONS };
}

function tensor(channels: number, values: number): NetworkShape {
  let samples = Math.ceil(values / LARGEST_PLANE);
  while (values % samples !== 0) samples++;
  return shapeOf([samples, channels, values / samples]);
}

function sizes(channels: number, values: readonly number[], most: number): NetworkShape[] {
  return values.filter((count) => count * channels <= most).map((count) => tensor(channels, count));
}

function costs(): Place[] {
  const others = OTHER_CHANNELS.flatMap((channels) => sizes(channels, FEWER_VALUES, ENOUGH));
  const last = [...sizes(SIZES_CHANNELS, VALUES, ENOUGH), ...others];
  return [
    ...[EMPTY, SMALLEST, ...others].map((shape): Place => ({ shape, layout: "channels-first" })),
    ...last.map((shape): Place => ({ shape, layout: "channels-last" })),
  ];
}

/**
 * Some sizes are part of a whole run, quick ones apart; all of them and costs take minutes and are named. The largest
 * first: when small ones are timed, whose calls are JavaScript in good part, the compiler has seen all of it.
 */
export function sweepsOf({ selection, quick }: Pick<Options, "selection" | "quick">): Place[] {
  const hasCosts = selection.cost?.includes("cost") ?? false;
  const isNamed = hasCosts || (selection.cost?.includes("sizes") ?? false);
  if (!isNamed && (quick || !isWhole(selection))) return [];
  const all = sizes(SIZES_CHANNELS, isNamed ? VALUES : [...FEWER_VALUES, VALUES.at(-1)], Infinity);
  const places = [...all.map((shape): Place => ({ shape, layout: "channels-first" })), ...(hasCosts ? costs() : [])];
  return places.sort((a, b) => lengthOf(b.shape) - lengthOf(a.shape));
}

/** N, C and what comes after, of a shape by its name. */
export function dimensionsOf(name: string): readonly number[] {
  return shapes.find((known) => known.name === name)?.shape ?? name.split("×").map(Number);
}

/** Whether a row with that name of a shape is of a sweep. */
export function isSweep({ shape }: { readonly shape: string }): boolean {
  return shape.includes("×");
}
