// A rejected call: its exact error, and that it left everything as it was.
import { expect } from "vitest";
import { BatchNorm, type FloatType as DType, type ErrorCode } from "../../src/index.js";

export interface Rejection {
  readonly error: "TypeError" | "RangeError" | "BackendUnavailableError";
  readonly code: ErrorCode;
  readonly message: string;
}

export const TYPE = "ERR_BATCHNORM_TYPE";
export const VALUE = "ERR_BATCHNORM_VALUE";
export const OPTION = "ERR_BATCHNORM_OPTION";
export const SHAPE = "ERR_BATCHNORM_SHAPE";
export const ALIAS = "ERR_BATCHNORM_ALIAS";
export const DETACHED = "ERR_BATCHNORM_DETACHED";
export const SINGLE_VALUE = "ERR_BATCHNORM_SINGLE_VALUE";
export const SAVED = "ERR_BATCHNORM_SAVED";
export const STATE = "ERR_BATCHNORM_STATE";
export const FILE = "ERR_BATCHNORM_FILE";

/** A function as plain JavaScript calls it. */
export type Loose = (...args: unknown[]) => unknown;

/** An array whose memory went elsewhere. */
export function detached(length: number): Float32Array {
  const array = new Float32Array(length);
  structuredClone(array, { transfer: [array.buffer] });
  return array;
}

export function type(code: ErrorCode, message: string): Rejection {
  return { error: "TypeError", code, message };
}

export function range(code: ErrorCode, message: string): Rejection {
  return { error: "RangeError", code, message };
}

/** All the bytes of a view's buffer, so that a write beside the view shows too; empty where it is detached. */
function memoryOf({ buffer }: ArrayBufferView): Uint8Array {
  try {
    return new Uint8Array(buffer).slice();
  } catch {
    return new Uint8Array(0);
  }
}

/** A copy of what a call could write: a layer's state and newest token, the memory of arrays, the fields of objects. */
export function snapshot(value: unknown): unknown {
  if (ArrayBuffer.isView(value)) return memoryOf(value);
  if (typeof value !== "object" || value === null) return value;
  // The tables of a token share memory with those of others, which a call may make.
  const isTable = (field: unknown): field is Float64Array =>
    Object.hasOwn(value, "life") && field instanceof Float64Array;
  const own = Object.entries(value).map(([key, field]) => [key, isTable(field) ? field.slice() : snapshot(field)]);
  if (!(value instanceof BatchNorm)) return own;
  const { saved, frozen } = value as BatchNorm<DType>;
  return [own, frozen, saved, snapshot(saved)];
}

export function errorOf(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  return undefined;
}

/** The call throws exactly this error, and `watched` (layers, tokens, arrays) stays as it was, to the bit. */
export function expectRejected(call: () => unknown, watched: readonly unknown[], expected: Rejection): void {
  const before = watched.map(snapshot);
  const error = errorOf(call);
  if (!(error instanceof Error)) expect.fail(`expected ${expected.error} "${expected.message}", got no error`);
  expect({ error: error.name, code: (error as { code?: unknown }).code, message: error.message }).toEqual(expected);
  const classes = { TypeError, RangeError, BackendUnavailableError: Error };
  expect(error).toBeInstanceOf(classes[expected.error]);
  expect(watched.map(snapshot)).toEqual(before);
}
