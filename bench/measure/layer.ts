// A layer as it is timed and checked: γ, β and running statistics that change every bit of the output.
import { BatchNorm, type BackendName, type DType, type ForwardOptions } from "batchnorm";
import type { Data, Floats } from "../../src/base/types.js";
import { shapeIn, type Operation } from "../shapes.js";
import type { Setting } from "../plan.js";
import type { Operands } from "./tensors.js";

export function makeLayer(
  { shape, layout, dtype, variant }: Setting,
  { backend, threads }: { readonly backend: BackendName; readonly threads?: number },
): BatchNorm<DType> {
  const layer = new BatchNorm<DType>(shape.shape[1], {
    layout,
    dtype,
    backend,
    ...(variant === "leaky-relu" && { activation: { type: variant, slope: 0.1 } }),
    ...(threads !== undefined && { threads }),
  });
  const fill = (table: Floats | null, value: (c: number) => number): void =>
    table?.forEach((_, c) => (table[c] = value(c)));
  fill(layer.weight, (c) => (c % 3 === 1 ? -0.75 : 0.5 + (c % 7) / 8));
  fill(layer.bias, (c) => (c % 5) / 4 - 0.5);
  fill(layer.runningMean, (c) => (c % 4) / 10);
  fill(layer.runningVar, (c) => 0.5 + (c % 6) / 3);
  return layer;
}

/** What every forward of a setting is given beside x and `out`. */
export function optionsOf({ variant, shape, dtype }: Setting): Pick<ForwardOptions<DType>, "sampleWeights"> {
  if (variant !== "weights") return {};
  const sampleWeights = dtype === "float64" ? new Float64Array(shape.shape[0]) : new Float32Array(shape.shape[0]);
  return { sampleWeights: sampleWeights.map((_, n) => ((n + 1) % 5) / 4) };
}

/** One call into `out`; the small results beside it, by name. */
export function runOnce(
  operation: Operation,
  layer: BatchNorm<DType>,
  setting: Setting,
  { x, dy, out }: Operands,
): Record<string, Data | null> {
  if (operation === "inference") layer.eval();
  else layer.train();
  layer.forward(x, shapeIn(setting.shape, setting.layout), { ...optionsOf(setting), out });
  const { runningMean, runningVar } = layer;
  if (operation !== "backward") return { runningMean, runningVar };
  const { gradWeight, gradBias } = layer.backward(dy, { out });
  return { gradWeight, gradBias };
}
