// Files of torch that the library does not write: any pickle, and any archive around it.
import { bytesOf as openBytes } from "../../src/checkpoints/bytes.js";
import { readZip } from "../../src/checkpoints/zip.js";
import { writeZip } from "../../src/checkpoints/zip-writer.js";
import type { Random } from "../../src/verify/data.js";

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

/** What stands in pickles, and what stands in none. */
const TOKENS: readonly (readonly number[])[] = [
  ...[
    "(",
    "t",
    "R",
    ".",
    "N",
    "}",
    "]",
    "u",
    "s",
    "e",
    "a",
    "b",
    "0",
    ")",
    "Q",
    "h\x01",
    "q\x01",
    "\x85",
    "\x93",
    "\x94",
  ].map(ascii),
  ...[0, 1, 2, 2 ** 31, 2 ** 40, -1, Number.MAX_SAFE_INTEGER].map(integer),
  ...["storage", "0", "running_mean", "a.weight"].map(text),
  global("torch", "DoubleStorage"),
  global("torch", "Tensor"),
  global("os", "system"),
  [0x8e, 255, 255, 255, 255, 255, 255, 255, 255],
];

const isIn = (random: Random, size: number): number => Math.floor(random() * size);

/** A token in the place of some bytes, or an integer in the place of another. */
function otherPickle(pickle: Uint8Array, random: Random): Uint8Array {
  const at = isIn(random, pickle.length);
  const integers = [...pickle.keys()].filter((i) => pickle[i] === 0x4b || (pickle[i] === 0x8a && pickle[i + 1] === 8));
  if (random() < 0.3) {
    const found = integers[isIn(random, integers.length)]!;
    const changed = pickle.slice();
    changed[found + (pickle[found] === 0x4b ? 1 : 2)] = isIn(random, 9);
    return changed;
  }
  const copied = pickle.subarray(isIn(random, pickle.length)).subarray(0, isIn(random, 40));
  const token = random() < 0.5 ? TOKENS[isIn(random, TOKENS.length)]! : copied;
  const gone = random() < 0.5 ? token.length : isIn(random, 12);
  return Uint8Array.of(...pickle.subarray(0, at), ...token, ...pickle.subarray(at + gone));
}

/** Entries of an archive, which another program may have written. */
async function filesOf(file: Uint8Array): Promise<(readonly [string, Uint8Array])[]> {
  const entries = [...((await readZip(await openBytes(file))) ?? [])];
  return Promise.all(entries.map(async ([name, it]) => [name, await it.read(0, it.size)] as const));
}

/** An archive that is right, of another pickle or of elements that have another sign. */
async function otherEntry(file: Uint8Array, random: Random): Promise<Uint8Array> {
  const files = await filesOf(file);
  const chosen = random() < 0.8 ? files.findIndex(([name]) => name.endsWith("data.pkl")) : isIn(random, files.length);
  const change = (name: string, bytes: Uint8Array): Uint8Array => {
    if (name.endsWith("data.pkl")) return otherPickle(bytes, random);
    return bytes.map((byte, i) => (i % 4 === 3 ? byte ^ 128 : byte));
  };
  return writeZip(files.map(([name, bytes], i) => [name, i === chosen ? change(name, bytes) : bytes]));
}

/** Bytes of the archive's own records are others. */
function otherRecords(file: Uint8Array, random: Random): Uint8Array {
  const changed = file.slice();
  const from = random() < 0.2 ? 0 : directoryOf(file);
  for (let time = isIn(random, 3); time >= 0; time--)
    changed[from + isIn(random, Math.max(file.length - from, 1))] = random() < 0.3 ? 255 : isIn(random, 256);
  return changed;
}

/** The file with a damage or two. */
export async function damagedArchive(file: Uint8Array, random: Random): Promise<Uint8Array> {
  const kind = random();
  if (kind < 0.6) return otherEntry(file, random);
  if (kind < 0.9) return otherRecords(file, random);
  if (kind < 0.95) return file.slice(0, isIn(random, file.length));
  const changed = file.slice();
  return changed.copyWithin(isIn(random, file.length), isIn(random, file.length), isIn(random, file.length));
}

/** Of Keras: another configuration, other bytes of HDF5, or another archive. */
export async function damagedKeras(file: Uint8Array, random: Random): Promise<Uint8Array> {
  if (random() < 0.3) return otherRecords(file, random);
  const files = await filesOf(file);
  const chosen = random() < 0.5 ? "config.json" : "model.weights.h5";
  const change = (bytes: Uint8Array): Uint8Array => {
    const changed = bytes.slice();
    const copied = bytes.subarray(isIn(random, bytes.length)).subarray(0, isIn(random, 30));
    if (random() < 0.5) changed.set(copied, isIn(random, bytes.length - copied.length + 1));
    else for (let time = 0; time < 4; time++) changed[isIn(random, bytes.length)] = isIn(random, 256);
    return changed;
  };
  return writeZip(files.map(([name, bytes]) => [name, name === chosen ? change(bytes) : bytes]));
}
