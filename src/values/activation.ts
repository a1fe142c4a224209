// The activation after the normalization: how a user names it, and what may be done with which.
import { tableOf } from "../base/arrays.js";
import type { Floats } from "../base/types.js";

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
 * A clamp: y = min(max(z, `min`), `max`). The gradient is 0 at both bounds and beyond, as in torch.nn.Hardtanh and
 * torch.nn.ReLU6. torch.clamp passes it at the bounds.
 */
export interface Clamp {
  /** The kind of the activation. */
  readonly type: "clamp";
  /** The least output, a number from -1e30 to 1e30. The default is 0. */
  readonly min?: number | undefined;
  /** The greatest output, a number from -1e30 to 1e30, greater than `min`. */
  readonly max: number;
}

/**
 * PReLU (He, Zhang, Ren & Sun 2015), a leaky ReLU whose slopes are learned: y = z where z > 0, else y = z·slope. The
 * backward returns `gradSlope`, which is Σ gradOutput·z over the values that are not positive.
 */
export interface Prelu {
  /** The kind of the activation. */
  readonly type: "prelu";
  /**
   * The slopes: one for each channel, or a single one for all. They are in a Float64Array for float64 data, else in a
   * Float32Array. The array remains yours. Every forward reads it, so that an optimizer may change it between calls.
   */
  readonly slope: Floats;
}

/** An activation by its name alone. `Activation` has the formulas. */
export type ActivationName = "none" | "relu" | "leaky-relu" | "relu6" | "hard-sigmoid" | "hard-swish" | "squared-relu";

/** An activation without parameters, as an object. */
export interface NamedActivation {
  /** The kind of the activation. */
  readonly type: ActivationName;
}

/**
 * The function that is applied to the normalized value. If there is a residual, it is added before. z is the sum.
 *
 * - `"none"`: y = z.
 * - `"relu"`: y = max(z, 0). The gradient at 0 is 0, as in torch.
 * - `"leaky-relu"` or a `LeakyRelu` object: y = z·slope where z is not positive. The slope of the name alone is 0.01.
 * - `"relu6"` or a `Clamp` object: y = min(max(z, min), max), with 0 and 6 for the name.
 * - `"hard-sigmoid"`: y = min(max(z + 3, 0), 6)/6. The gradient at −3 and 3 is 0 (torch.nn.Hardsigmoid).
 * - `"hard-swish"`: y = z·min(max(z + 3, 0), 6)/6 (Howard et al. 2019). The derivative is 0 at −3 and 1 at 3.
 * - `"squared-relu"`: y = max(z, 0)² (So et al. 2021).
 * - A `Prelu` object: y = z·slope where z is not positive, with learned slopes.
 *
 * An object `{ type: name }` is the same as the name. A NaN stays NaN. The backward makes z anew from x and the residual,
 * so that nothing else is stored. Only `"none"` and leaky ReLU allow `save: "output"`, because z has to be recovered
 * from the output there.
 */
export type Activation = ActivationName | NamedActivation | LeakyRelu | Clamp | Prelu;

/** A leaky ReLU after its check. */
export interface CheckedLeakyRelu extends LeakyRelu {
  /** The factor for values that are not positive, from 1e-30 to 1e30. */
  readonly slope: number;
}

/** A clamp after its check. */
export interface CheckedClamp extends Clamp {
  /** The least output. */
  readonly min: number;
}

/** An activation after its check. A name with parameters has become an object, and an object without any a name. */
export type CheckedActivation =
  "none" | "relu" | "hard-sigmoid" | "hard-swish" | "squared-relu" | CheckedLeakyRelu | CheckedClamp | Prelu;

/** The slopes of a PReLU, or null. */
export function slopesOf(activation: CheckedActivation): Floats | null {
  return typeof activation === "object" && activation.type === "prelu" ? activation.slope : null;
}

/** Whether z can be made of the stored output, so that the output may stand for x, or for the residual. */
export function canBeUndone(activation: CheckedActivation): boolean {
  return activation === "none" || (typeof activation === "object" && activation.type === "leaky-relu");
}

/** Whether a backward can read off the stored output what it needs of z, so that the output may replace the residual. */
export function showsInOutput(activation: CheckedActivation): boolean {
  return activation === "relu" || canBeUndone(activation);
}

/** Whether a derivative of the gradient is that of its mask alone: no slope is learned, and none changes with z. */
export function isPiecewiseLinear(activation: CheckedActivation): boolean {
  const name = nameOfActivation(activation);
  return name !== "prelu" && name !== "hard-swish" && name !== "squared-relu";
}

/** The activation as a token keeps it: with slopes that no one changes. */
export function keptActivation(activation: CheckedActivation): CheckedActivation {
  const slopes = slopesOf(activation);
  return slopes ? Object.freeze({ type: "prelu", slope: tableOf(slopes) }) : activation;
}

/** The activation's name, for messages. */
export function nameOfActivation(activation: CheckedActivation): string {
  return typeof activation === "string" ? activation : activation.type;
}
