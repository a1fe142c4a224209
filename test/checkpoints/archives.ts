// Files of torch that the library does not write: any pickle, and any archive around it.
import { writeZip } from "../../src/checkpoints/zip-writer.js";

const ascii = (text: string): number[] => [...text].map((letter) => letter.charCodeAt(0));

/** Opcodes and letters as text, other bytes as numbers. */
export type PicklePart = string | readonly number[];

export const bytesOf = (...parts: readonly PicklePart[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => (typeof part === "string" ? ascii(part) : part)));

export const PROTOCOL = [0x80, 2];

export function text(value: string): number[] {
  const bytes = [...new TextEncoder().encode(value)];
  return [0x58, ...new Uint8Array(Uint32Array.of(bytes.length).buffer), ...bytes];
}

export const integer = (value: number): number[] => [
  0x8a,
  8,
  ...new Uint8Array(BigInt64Array.of(BigInt(value)).buffer),
];

export const tuple = (...items: readonly (readonly number[])[]): number[] => [0x28, ...items.flat(), 0x74];

export const global = (module: string, name: string): number[] => ascii(`c${module}\n${name}\n`);

export const storage = (key = "0", count = 2, type = global("torch", "FloatStorage")): number[] => [
  ...tuple(text("storage"), type, text(key), text("cpu"), integer(count)),
  0x51,
];

const sizes = (values: readonly number[]): number[] => tuple(...values.map(integer));

/** A tensor of torch, each part of which can be another. */
export function tensor({
  of = storage(),
  offset = integer(0),
  shape = [2],
  stride = [1],
  make = global("torch._utils", "_rebuild_tensor_v2"),
  more = [] as readonly number[],
} = {}): number[] {
  const hooks = [...global("collections", "OrderedDict"), 0x29, 0x52];
  return [...make, ...tuple(of, offset, sizes(shape), sizes(stride), [0x89], hooks, more), 0x52];
}

/** The pickle of a dict. */
export const dict = (...items: readonly (readonly number[])[]): Uint8Array => bytesOf(PROTOCOL, "}(", ...items, "u.");

/** The archive of a pickle with one storage of two elements, and other entries. */
export function archive(
  pickle: Uint8Array,
  more: readonly (readonly [string, Uint8Array])[] = [],
  storage = new Uint8Array(Float32Array.of(1, 2).buffer),
): Uint8Array {
  return writeZip([["archive/data.pkl", pickle], ["archive/data/0", storage], ...more]);
}

/** Where the directory of an archive begins. */
export function directoryOf(file: Uint8Array): number {
  return new DataView(file.buffer, file.byteOffset).getUint32(file.length - 6, true);
}

/** The archive with another value of 16 or 32 bits, in its directory if `at` says so. */
export function patched(file: Uint8Array, at: number, value: number, size: 2 | 4): Uint8Array {
  const changed = file.slice();
  const view = new DataView(changed.buffer);
  if (size === 2) view.setUint16(at, value, true);
  else view.setUint32(at, value, true);
  return changed;
}
