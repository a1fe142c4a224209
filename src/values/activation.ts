// The activation behind the normalization: as a user names it, and as kernels are told of it.
import { checkInRange, checkOneOf, readOptions, tagOf } from "../base/check.js";
import { Flag, type Control } from "../kernels/control.js";
import { rangeError } from "../base/errors.js";

/** y = z ≤ 0 ? z·slope : z (Maas, Hannun & Ng 2013); its gradient at 0 is the slope, as torch's. */
export interface LeakyRelu {
  readonly type: "leaky-relu";
  /** 0, which is ReLU, or in [1e-30, 1e30]. Default 0.01. */
  readonly slope?: number;
}

/** Applied to the normalized value, after a residual where there is one. A NaN passes either way. */
export type Activation = "none" | "relu" | LeakyRelu;

/** Slopes that have a reciprocal in float32. */
const LEAST_SLOPE = 1e-30;
const MOST_SLOPE = 1e30;

/** A checked copy, each property read once; a slope of 0 is ReLU. */
export function readActivation(name: string, value: unknown = "none"): Activation {
  if (typeof value !== "object" || value === null || Array.isArray(value) || tagOf(value) !== undefined)
    return checkOneOf(name, value, ["none", "relu"] as const);
  const { type, slope = 0.01 } = readOptions(value, ["type", "slope"], name);
  checkOneOf(`${name}.type`, type, ["leaky-relu"]);
  const checked = checkInRange(`${name}.slope`, slope, 0, MOST_SLOPE);
  if (checked === 0) return "relu";
  if (checked < LEAST_SLOPE) {
    throw rangeError(
      "ERR_BATCHNORM_VALUE",
      `"${name}.slope" expected 0 or a number of at least ${LEAST_SLOPE}, got ${checked}`,
    );
  }
  return Object.freeze({ type: "leaky-relu", slope: checked });
}

/** Tells kernels of the activation; `more` are further flags. */
export function setActivation(control: Control, activation: Activation, more = 0): void {
  const isLeaky = typeof activation === "object";
  control.set("flags", (activation === "none" ? 0 : Flag.relu) | (isLeaky ? Flag.leaky : 0) | more);
  control.set("slope", isLeaky ? activation.slope! : 0);
}
