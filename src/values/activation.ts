// The activation after the normalization: how a user names it, and how the kernels are told of it.
import { checkInRange, checkOneOf, isRecord } from "../base/check.js";
import { readOptions } from "../base/options.js";
import type { Control } from "../kernels/control.js";
import { Flag } from "../kernels/layout.js";
import { rangeError } from "../base/errors.js";

/**
 * Leaky ReLU (Maas, Hannun & Ng 2013): y = z where z > 0, else y = z·slope. The gradient at 0 is the slope, as in
 * torch.nn.LeakyReLU.
 */
export interface LeakyRelu {
  /** The kind of the activation. */
  readonly type: "leaky-relu";
  /**
   * The factor for values that are not positive: 0, or a number from 1e-30 to 1e30. The default is 0.01, as in torch.
   * Slope 0 is ReLU.
   */
  readonly slope?: number | undefined;
}

/**
 * The function that is applied to the normalized value. If there is a residual, it is added before.
 *
 * - `"none"`: y = z.
 * - `"relu"`: y = max(z, 0). The gradient at 0 is 0, as in torch.
 * - A `LeakyRelu` object: y = z·slope where z is not positive.
 *
 * A NaN stays NaN. The backward finds out again which outputs were positive, so no mask is stored.
 */
export type Activation = "none" | "relu" | LeakyRelu;

/** The bounds of slopes whose reciprocal is a normal float32. */
const LEAST_SLOPE = 1e-30;
const MOST_SLOPE = 1e30;

/** Makes a checked copy and reads each property once. A slope of 0 becomes ReLU. */
export function readActivation(name: string, value: unknown = "none"): Activation {
  if (!isRecord(value)) return checkName(name, value);
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

/** Checks an activation that is a string. A leaky ReLU has a slope, so it is an object. */
function checkName(name: string, value: unknown): "none" | "relu" {
  if (typeof value !== "string" || value === "none" || value === "relu") {
    return checkOneOf(name, value, ["none", "relu"] as const);
  }
  throw rangeError(
    "ERR_BATCHNORM_VALUE",
    `"${name}" expected "none", "relu" or { type: "leaky-relu", slope: 0.01 }, got ${JSON.stringify(value)}`,
  );
}

/** Tells the kernels which activation to apply. `more` holds further flags. */
export function setActivation(control: Control, activation: Activation, more = 0): void {
  const isLeaky = typeof activation === "object";
  control.set("flags", (activation === "none" ? 0 : Flag.activation) | (isLeaky ? Flag.leaky : 0) | more);
  control.set("slope", isLeaky ? activation.slope! : 0);
}
