// Reads IDX, the format of the MNIST files (LeCun, Cortes & Burges): four bytes (0, 0, element type, rank), the sizes as
// big-endian 32-bit integers, and then the elements, here bytes.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

const UNSIGNED_BYTE = 0x08;

export interface Idx {
  readonly sizes: readonly number[];
  readonly data: Uint8Array;
}

/** The contents of an IDX file of bytes. `name` is for the messages. @throws Error where it is anything else. */
export function parseIdx(bytes: Uint8Array, name: string): Idx {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 4 || view.getUint16(0) !== 0)
    throw new Error(`${name} is no IDX file: it must begin with two zeros`);
  const [type, rank] = [view.getUint8(2), view.getUint8(3)];
  if (type !== UNSIGNED_BYTE) {
    throw new Error(`${name} must hold unsigned bytes, which is type 8, but its type is ${type}`);
  }
  const header = 4 + 4 * rank;
  if (bytes.length < header) throw new Error(`${name} ends in its header, after ${bytes.length} of ${header} bytes`);
  const sizes = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const expected = header + sizes.reduce((product, size) => product * size, 1);
  if (bytes.length !== expected) {
    throw new Error(`${name} must have ${expected} bytes for ${sizes.join("×")} elements, but it has ${bytes.length}`);
  }
  return { sizes, data: bytes.subarray(header) };
}

/** Reads an IDX file after comparing its SHA-256. @throws Error where the file is not the one that is meant. */
export function readIdx(file: string, sha256: string): Idx {
  const bytes = readFileSync(file);
  const found = createHash("sha256").update(bytes).digest("hex");
  if (found !== sha256)
    throw new Error(`${file} is not the file that is meant: its SHA-256 is ${found}, not ${sha256}`);
  return parseIdx(bytes, file);
}
