// A layer as text, in the form of torch's repr.
import type { BackendRequest } from "../backends/backend.js";
import type { DType } from "../base/types.js";
import type { Config } from "./config.js";
import type { Momentum } from "./running.js";

/** The name of the method whose result `console.log` prints, in Node and in runtimes that follow it. */
export const INSPECT = /* @__PURE__ */ Symbol.for("nodejs.util.inspect.custom");

export function inspected(this: { toString(): string }): string {
  return this.toString();
}

/** As Python prints a float: 1e-05, where JavaScript has 0.00001. */
function numberText(value: number | null): string {
  if (value === null || value === 0 || value >= 1e-4) return String(value);
  return value.toExponential().replace(/e-(\d)$/, "e-0$1");
}

interface Described {
  readonly numFeatures: number;
  readonly eps: number;
  readonly momentum: Momentum;
  readonly dtype: DType;
  readonly training: boolean;
  readonly frozen: boolean;
  readonly backend: string;
}

/** The name of the backend that runs, or what was asked for, so that a layer can be printed where that is lacking. */
function backendText(layer: Described, wanted: BackendRequest | undefined): string {
  try {
    return layer.backend;
  } catch {
    return `${wanted ?? "backend"} unavailable`;
  }
}

export function textOf(layer: Described, { backend, convention }: Pick<Config, "backend" | "convention">): string {
  const { numFeatures, eps, momentum, dtype, training, frozen } = layer;
  const parts = [
    String(numFeatures),
    `eps=${numberText(eps)}`,
    `momentum=${typeof momentum === "function" ? "function" : numberText(momentum)}`,
    ...(convention === "torch" ? [] : [`convention=${convention}`]),
    ...(dtype === "float32" ? [] : [`dtype=${dtype}`]),
    ...(training ? [] : ["eval"]),
    ...(frozen ? ["frozen"] : []),
    backendText(layer, backend),
  ];
  return `BatchNorm(${parts.join(", ")})`;
}
