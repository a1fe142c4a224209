// A layer as it is timed and checked: γ, β and running statistics that change every bit of the output.
import { BatchNorm, type BackendName } from "batchnorm";
import { shapeIn, type Operation } from "../test/shapes.js";
import type { Setting } from "./plan.js";
import type { Tensors } from "./tensors.js";

export function makeLayer(
  { shape, layout }: Setting,
  { backend, threads }: { readonly backend: BackendName; readonly threads?: number },
): BatchNorm {
  const layer = new BatchNorm(shape.shape[1], { layout, backend, ...(threads !== undefined && { threads }) });
  const fill = (table: Float32Array | null, value: (c: number) => number): void =>
    table?.forEach((_, c) => (table[c] = value(c)));
  fill(layer.weight, (c) => (c % 3 === 1 ? -0.75 : 0.5 + (c % 7) / 8));
  fill(layer.bias, (c) => (c % 5) / 4 - 0.5);
  fill(layer.runningMean, (c) => (c % 4) / 10);
  fill(layer.runningVar, (c) => 0.5 + (c % 6) / 3);
  return layer;
}

/** One call into `out`; the small results beside it, by name. */
export function runOnce(
  operation: Operation,
  layer: BatchNorm,
  setting: Setting,
  { x, dy }: Tensors,
  out: Float32Array,
): Record<string, Float32Array | null> {
  if (operation === "inference") layer.eval();
  else layer.train();
  layer.forward(x, shapeIn(setting.shape, setting.layout), { out });
  const { runningMean, runningVar } = layer;
  if (operation !== "backward") return { runningMean, runningVar };
  const { gradWeight, gradBias } = layer.backward(dy, { out });
  return { gradWeight, gradBias };
}
