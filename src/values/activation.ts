// The activation after the normalization: how a user names it, and how the kernels are told of it.
import { copyInto, fill, tableOf } from "../base/arrays.js";
import { KIND, checkArray, checkInRange, checkOneOf, describe, isRecord, lengthOf } from "../base/check.js";
import { readOptions } from "../base/options.js";
import { floatTypeOf, type DType, type Floats } from "../base/types.js";
import type { Control } from "../kernels/control.js";
import { Flag, Kind } from "../kernels/layout.js";
import { rangeError, typeError } from "../base/errors.js";

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
export type Activation = ActivationName | { readonly type: ActivationName } | LeakyRelu | Clamp | Prelu;

/** An activation after its check. A name with parameters has become an object, and an object without any a name. */
export type CheckedActivation =
  | "none"
  | "relu"
  | "hard-sigmoid"
  | "hard-swish"
  | "squared-relu"
  | { readonly type: "leaky-relu"; readonly slope: number }
  | { readonly type: "clamp"; readonly min: number; readonly max: number }
  | { readonly type: "prelu"; readonly slope: Floats };

/** The bounds of slopes whose reciprocal is a normal float32. */
const LEAST_SLOPE = 1e-30;
const MOST_SLOPE = 1e30;
/** Bounds of a clamp are finite in float32. */
const MOST_BOUND = 1e30;
const DEFAULT_SLOPE = 0.01;

const NAMES = ["none", "relu", "leaky-relu", "relu6", "hard-sigmoid", "hard-swish", "squared-relu"] as const;
const TYPES = [...NAMES, "clamp", "prelu"] as const;

/** Makes a checked copy and reads each property once. The slopes of a PReLU stay those of the caller. */
export function readActivation(name: string, value: unknown = "none"): CheckedActivation {
  if (!isRecord(value)) return named(checkName(name, value));
  const options = readOptions(value, ["type", "slope", "min", "max"], name);
  const type = checkOneOf(`${name}.type`, options.type, TYPES);
  checkParameters(name, type, options);
  if (type === "leaky-relu") return readLeaky(name, options);
  if (type === "clamp") return readClamp(name, options);
  if (type !== "prelu") return named(type);
  const slope = checkArray(`${name}.slope`, options.slope, [KIND.float32, KIND.float64]);
  return Object.freeze({ type, slope });
}

function checkName(name: string, value: unknown): ActivationName {
  if (typeof value === "string" && !NAMES.some((one) => one === value) && (value === "clamp" || value === "prelu")) {
    const example =
      value === "clamp" ? `{ type: "clamp", min: 0, max: 6 }` : `{ type: "prelu", slope: new Float32Array(1) }`;
    throw rangeError("ERR_BATCHNORM_VALUE", `"${name}" "${value}" needs parameters, as in ${example}`);
  }
  if (typeof value !== "string")
    throw typeError(
      "ERR_BATCHNORM_TYPE",
      `"${name}" expected a string or an object with a "type", got ${describe(value)}`,
    );
  return checkOneOf(name, value, NAMES);
}

/** The parameters of a name. */
function named(name: ActivationName): CheckedActivation {
  if (name === "leaky-relu") return Object.freeze({ type: name, slope: DEFAULT_SLOPE });
  return name === "relu6" ? Object.freeze({ type: "clamp", min: 0, max: 6 }) : name;
}

/** Rejects a parameter that another activation has. */
function checkParameters(name: string, type: (typeof TYPES)[number], options: Record<string, unknown>): void {
  const own: readonly string[] =
    type === "clamp" ? ["min", "max"] : type === "leaky-relu" || type === "prelu" ? ["slope"] : [];
  for (const key of Object.keys(options)) {
    if (key !== "type" && !own.includes(key))
      throw typeError("ERR_BATCHNORM_OPTION", `"${name}" of type "${type}" has no "${key}"`);
  }
}

/** A slope of 0 becomes ReLU. */
function readLeaky(name: string, { slope = DEFAULT_SLOPE }: Record<string, unknown>): CheckedActivation {
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

function readClamp(name: string, { min = 0, max }: Record<string, unknown>): CheckedActivation {
  const low = checkInRange(`${name}.min`, min, -MOST_BOUND, MOST_BOUND) + 0; // -0 becomes 0
  const high = checkInRange(`${name}.max`, max, -MOST_BOUND, MOST_BOUND) + 0;
  if (low >= high)
    throw rangeError("ERR_BATCHNORM_VALUE", `"${name}.max" expected a number greater than "min" ${low}, got ${high}`);
  return Object.freeze({ type: "clamp", min: low, max: high });
}

/** The slopes of a PReLU, or null. */
export function slopesOf(activation: CheckedActivation): Floats | null {
  return typeof activation === "object" && activation.type === "prelu" ? activation.slope : null;
}

/** Checks the slopes of a PReLU beside the tensor. Their type is that of the parameters, or float64 in a token. */
export function checkSlopes(
  name: string,
  activation: CheckedActivation,
  channels: number,
  dtype: DType,
): Floats | null {
  const slopes = slopesOf(activation);
  if (!slopes) return null;
  checkArray(name, slopes, [KIND[floatTypeOf(dtype)]]);
  const length = lengthOf(slopes);
  if (length === 1 || length === channels) return slopes;
  throw rangeError("ERR_BATCHNORM_SHAPE", `"${name}" expected length 1 or ${channels}, got ${length}`);
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

const KINDS = {
  "leaky-relu": Kind.rectifier,
  clamp: Kind.clamp,
  "hard-sigmoid": Kind.hardSigmoid,
  "hard-swish": Kind.hardSwish,
  "squared-relu": Kind.squaredRelu,
  prelu: Kind.prelu,
} as const satisfies Record<string, Kind>;

/** Tells the kernels which activation to apply. `more` holds further flags. */
export function setActivation(control: Control, activation: CheckedActivation, more = 0): void {
  if (typeof activation === "string") {
    const isNone = activation === "none";
    control.set("flags", isNone ? more : Flag.activation | more);
    control.set("kind", isNone || activation === "relu" ? Kind.rectifier : KINDS[activation]);
    return;
  }
  const { type } = activation;
  control.set("flags", Flag.activation | (type === "leaky-relu" ? Flag.leaky : 0) | more);
  control.set("kind", KINDS[type]);
  if (type === "leaky-relu") {
    control.set("slope", activation.slope);
  } else if (type === "clamp") {
    control.set("low", activation.min);
    control.set("high", activation.max);
  } else if (type === "prelu") {
    setSlopes(control.fields.slope, activation.slope);
  }
}

function setSlopes(field: Float64Array, slopes: Floats): void {
  if (lengthOf(slopes) === 1) fill(field, slopes[0]!);
  else copyInto(field, slopes);
}
