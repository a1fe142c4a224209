// The element type of an array that a call without a layer is given.
import { KIND, checkOneOf, describe, isFloat16Array, tagOf } from "../base/check.js";
import { typeError } from "../base/errors.js";
import type { DType } from "../base/types.js";

const FLOATS = { Float32Array: "float32", Float64Array: "float64" } as const;
const SIXTEEN_BITS = ["float16", "bfloat16"] as const;

/** The element type of an array. For a Uint16Array it is the one that the option `dtype` names. */
export function dtypeOf(name: string, data: unknown, named: unknown): DType {
  const tag = tagOf(data);
  const own = isFloat16Array(data) ? "float16" : tag === KIND.float32 || tag === KIND.float64 ? FLOATS[tag] : null;
  if (own === null && tag !== KIND.float16) {
    const kinds = "a Float32Array, Float64Array, Float16Array or Uint16Array";
    throw typeError("ERR_BATCHNORM_TYPE", `"${name}" expected ${kinds}, got ${describe(data)}`);
  }
  if (own === null && named === undefined) {
    const expected = `"float16" or "bfloat16", which a Uint16Array does not say itself`;
    throw typeError("ERR_BATCHNORM_TYPE", `"dtype" expected ${expected}, got undefined`);
  }
  const allowed: readonly DType[] = own === null ? SIXTEEN_BITS : [own];
  return own !== null && named === undefined ? own : checkOneOf("dtype", named, allowed);
}
