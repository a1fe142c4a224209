// The shapes whose speed is told: what convolutional and dense networks normalize, 8 thousand to 51 million values.
// The benchmark times them; the tests compare bits on the small ones.
import type { Extent } from "../src/kernels/control.js";
import type { Layout } from "../src/base/axes.js";

export const OPERATIONS = ["forward", "inference", "backward"] as const;
export type Operation = (typeof OPERATIONS)[number];

export interface NetworkShape {
  readonly name: string;
  /** N, C and what comes after. */
  readonly shape: readonly [number, number, ...number[]];
  readonly operations: readonly Operation[];
}

export const shapes: readonly NetworkShape[] = [
  { name: "A", shape: [32, 64, 56, 56], operations: OPERATIONS },
  { name: "B", shape: [32, 256, 14, 14], operations: OPERATIONS },
  { name: "C", shape: [128, 1024], operations: OPERATIONS },
  { name: "D", shape: [1, 64, 112, 112], operations: ["inference"] },
  { name: "E", shape: [64, 3, 224, 224], operations: OPERATIONS },
  { name: "F", shape: [8, 16, 8, 8], operations: OPERATIONS },
  { name: "G", shape: [128, 100], operations: OPERATIONS },
  { name: "H", shape: [32, 2048, 7, 7], operations: OPERATIONS },
  { name: "I", shape: [256, 64, 56, 56], operations: OPERATIONS },
  { name: "J", shape: [256, 512, 4], operations: OPERATIONS },
  { name: "K", shape: [256, 128], operations: OPERATIONS },
  { name: "L", shape: [16, 512, 28, 28], operations: OPERATIONS },
  { name: "M", shape: [1, 2048, 7, 7], operations: ["inference"] },
];

/** Both, or one where N×C is the same memory either way. */
export function layoutsOf({ shape }: NetworkShape): readonly Layout[] {
  return shape.length === 2 ? ["channels-first"] : ["channels-first", "channels-last"];
}

/** The shape as a layer of that layout takes it. */
export function shapeIn({ shape: [n, channels, ...rest] }: NetworkShape, layout: Layout): readonly number[] {
  return layout === "channels-first" ? [n, channels, ...rest] : [n, ...rest, channels];
}

export function lengthOf({ shape }: NetworkShape): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** As kernels see it: element (o, c, i) at (o·channels + c)·inner + i. */
export function extentOf({ shape: [n, channels, ...rest] }: NetworkShape, layout: Layout): Extent {
  const positions = rest.reduce((a, b) => a * b, 1);
  return layout === "channels-first"
    ? { outer: n, channels, inner: positions }
    : { outer: n * positions, channels, inner: 1 };
}
