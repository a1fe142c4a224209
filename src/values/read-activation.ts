// How the option `activation` is read and checked.
import { KIND, checkArray, checkInRange, checkOneOf, describe, isRecord, lengthOf } from "../base/check.js";
import { rangeError, typeError } from "../base/errors.js";
import { readOptions } from "../base/options.js";
import { floatTypeOf, type DType, type Floats } from "../base/types.js";
import { slopesOf, type ActivationName, type CheckedActivation } from "./activation.js";

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
  if (value === "clamp" || value === "prelu") {
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
