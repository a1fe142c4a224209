// The arrays of a weight or a bias: read in float64, and made again in their own type with one rounding.
import { dtypeOf } from "../arguments/dtype.js";
import { plainOf } from "../base/arrays.js";
import { asCaller, checkElements, isFloat16Array, KIND, tagOf } from "../base/check.js";
import { rangeError } from "../base/errors.js";
import { narrow, roundToOdd, widen } from "../base/storage.js";
import { allocate, isStoredIn16Bits, type DType, type Floats } from "../base/types.js";

/** Values as the caller gave them, and what tells how to give others back. */
export interface Given {
  readonly name: string;
  readonly dtype: DType;
  readonly isFloat16Array: boolean;
  readonly values: Floats;
}

/** Magnitudes from which on a value rounds to infinity. */
const TOO_LARGE: Readonly<Record<DType, number>> = {
  float16: 65520,
  bfloat16: 2 ** 128 - 2 ** 119,
  float32: 2 ** 128 - 2 ** 103,
  float64: Infinity,
};

/** Reads an array. The option `dtype` is for a Uint16Array, whose type it names. */
export function readArray(name: string, data: unknown, named: unknown): Given {
  const dtype = dtypeOf(name, data, tagOf(data) === KIND.float16 ? named : undefined);
  const array = plainOf(checkElements(name, data, dtype));
  const values = isStoredIn16Bits(dtype) ? widen(dtype, array as Uint16Array) : (array as Floats);
  return { name, dtype, isFloat16Array: isFloat16Array(data), values };
}

/** New values of the type of given ones. */
export class Folded {
  readonly #given: Given;
  readonly #values: Floats;
  readonly #is16Bits: boolean;

  constructor(given: Given, length: number) {
    this.#given = given;
    this.#is16Bits = isStoredIn16Bits(given.dtype);
    this.#values = allocate(given.dtype === "float64" ? "float64" : "float32", length);
  }

  /** Rounds a value once. `from` is what it was made of: infinity may come of infinity alone. */
  set(index: number, value: number, from: number): void {
    const { name, dtype } = this.#given;
    if (!(Math.abs(value) < TOO_LARGE[dtype]) && Number.isFinite(from)) {
      const text = `"${name}[${index}]" expected a number that ${dtype} can hold after the fold, got ${value}`;
      throw rangeError("ERR_BATCHNORM_VALUE", text);
    }
    this.#values[index] = this.#is16Bits ? roundToOdd(value) : value;
  }

  /** The array, of the kind that the caller gave. */
  array(): unknown {
    const { dtype, isFloat16Array: inFloat16 } = this.#given;
    return this.#is16Bits ? asCaller(narrow(dtype, this.#values as Float32Array), inFloat16) : this.#values;
  }
}
