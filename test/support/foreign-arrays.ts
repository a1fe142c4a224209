// Typed arrays of unusual make: other realms, shared and resizable memory, lying subclasses, odd offsets.
import { createContext, runInContext } from "node:vm";

/** Node 20 has resizable buffers; the language level of this project's types does not. */
export interface Resizable {
  resize(size: number): void;
}
const ResizableBuffer = ArrayBuffer as unknown as new (
  size: number,
  options: { maxByteLength: number },
) => ArrayBuffer & Resizable;

export function resizable(values: Float32Array): { array: Float32Array; buffer: ArrayBuffer & Resizable } {
  const buffer = new ResizableBuffer(values.byteLength, { maxByteLength: 2 * values.byteLength });
  const array = new Float32Array(buffer);
  array.set(values);
  return { array, buffer };
}

export function shared(values: Float32Array): Float32Array {
  const array = new Float32Array(new SharedArrayBuffer(values.byteLength));
  array.set(values);
  return array;
}

const realm = createContext({});
export function foreign(values: Float32Array): Float32Array {
  const make = runInContext("(values) => new Float32Array(values)", realm) as (values: number[]) => Float32Array;
  return make(Array.from(values));
}

/** Lies about everything that a script can see. */
class LyingArray extends Float32Array {
  static get [Symbol.species](): Float32ArrayConstructor {
    throw new Error("species was asked");
  }
  override get length(): number {
    return 1e6;
  }
  override get byteLength(): number {
    return 1;
  }
  override get byteOffset(): number {
    return 4096;
  }
  override get buffer(): ArrayBuffer {
    return new ArrayBuffer(8);
  }
  // @ts-expect-error the library declares a property here
  get [Symbol.toStringTag](): string {
    return "Int8Array";
  }
  override set(): void {
    throw new Error("set was called");
  }
  override subarray(): never {
    throw new Error("subarray was called");
  }
  override slice(): never {
    throw new Error("slice was called");
  }
}

export const Liar = LyingArray as unknown as Float32ArrayConstructor;

/** A view far into a larger buffer, off any alignment but its own. */
export function odd(values: Float32Array): Float32Array {
  const array = new Float32Array(new ArrayBuffer(4 * (values.length + 64)), 4 * 37, values.length);
  array.set(values);
  return array;
}
