// The directory at the end of a zip archive, which lists its entries, with sizes of 32 or of 64 bits.
import { rangeError } from "../base/errors.js";
import type { Bytes } from "./bytes.js";

const END = 0x06054b50;
const END_SIZE = 22;
const END64 = 0x06064b50;
const END64_SIZE = 56;
const LOCATOR = 0x07064b50;
const LOCATOR_SIZE = 20;
const CENTRAL = 0x02014b50;
const CENTRAL_SIZE = 46;
/** The id of the extra field that has sizes of 64 bits. */
const EXTRA64 = 1;
const MOST_COMMENT = 0xffff;
/** The directory of a model of 100 000 tensors takes 7 MB. */
const MOST_DIRECTORY = 2 ** 24;

export const fail = (expected: string): never => {
  throw rangeError("ERR_BATCHNORM_FILE", `the zip archive expected ${expected}`);
};

export const viewAt = ({ buffer, byteOffset, byteLength }: Uint8Array, at = 0): DataView =>
  new DataView(buffer, byteOffset + at, byteLength - at);

/** An integer of 64 bits. One that is not exact is larger than any file. */
const wide = (view: DataView, at: number): number => Number(view.getBigUint64(at, true));

/** Where the directory is, which lists the entries. */
export interface Directory {
  readonly begin: number;
  readonly size: number;
  readonly count: number;
}

/** The record at the end of the file, before a comment of any length; null where it is not. */
function findEnd(tail: Uint8Array): number | null {
  const view = viewAt(tail);
  for (let at = tail.length - END_SIZE; at >= 0; at--)
    if (view.getUint32(at, true) === END && at + END_SIZE + view.getUint16(at + 20, true) === tail.length) return at;
  return null;
}

/** Torch writes no comment, so the last bytes are tried alone before a tail that could hold any. */
async function tailOf(bytes: Bytes, size: number): Promise<{ tail: Uint8Array; at: number; start: number } | null> {
  for (const most of [LOCATOR_SIZE + END_SIZE, LOCATOR_SIZE + END_SIZE + MOST_COMMENT]) {
    const start = Math.max(0, size - most);
    const tail = await bytes.read(start, size - start);
    const at = findEnd(tail);
    if (at !== null) return { tail, at, start };
  }
  return null;
}

/** Where the directory of an archive of so many bytes is; null if the bytes are no archive. */
export async function directoryOf(bytes: Bytes, size: number): Promise<Directory | null> {
  const found = size < END_SIZE ? null : await tailOf(bytes, size);
  if (found === null) return null;
  const { tail, at, start } = found;
  const end = viewAt(tail, at);
  const narrow = { begin: end.getUint32(16, true), size: end.getUint32(12, true), count: end.getUint16(10, true) };
  const locator = at - LOCATOR_SIZE;
  if (locator < 0 || viewAt(tail).getUint32(locator, true) !== LOCATOR) return checkDirectory(narrow, start + at);
  const where = wide(viewAt(tail), locator + 8);
  if (where + END64_SIZE > start + locator) fail(`its end within the file, got an offset of ${where}`);
  const end64 = viewAt(await bytes.read(where, END64_SIZE));
  if (end64.getUint32(0, true) !== END64) fail("a record of its end in zip64");
  return checkDirectory({ begin: wide(end64, 48), size: wide(end64, 40), count: wide(end64, 32) }, where);
}

function checkDirectory(directory: Directory, most: number): Directory {
  const { begin, size, count } = directory;
  if (begin + size > most) fail(`a directory before ${most}, got ${size} bytes from ${begin}`);
  if (size > MOST_DIRECTORY) fail(`a directory of at most ${MOST_DIRECTORY} bytes, got ${size}`);
  if (count * CENTRAL_SIZE > size) fail(`a directory of ${count} entries, got ${size} bytes`);
  return directory;
}

/** An entry as the directory describes it. */
export interface Listed {
  readonly name: string;
  readonly flags: number;
  readonly method: number;
  readonly stored: number;
  readonly size: number;
  readonly offset: number;
}

/** Sizes of 64 bits follow one another in the extra field, each only where the narrow one is full. */
function widened(narrow: readonly number[], extra: DataView): readonly number[] {
  if (!narrow.includes(0xffffffff)) return narrow;
  for (let at = 0; at + 4 <= extra.byteLength; at += 4 + extra.getUint16(at + 2, true)) {
    if (extra.getUint16(at, true) !== EXTRA64) continue;
    let next = at + 4;
    const end = Math.min(next + extra.getUint16(at + 2, true), extra.byteLength);
    return narrow.map((value) => {
      if (value !== 0xffffffff) return value;
      if (next + 8 > end) fail("sizes of 64 bits in the extra field of an entry");
      next += 8;
      return wide(extra, next - 8);
    });
  }
  return narrow;
}

/** The entries of a directory, as many as its end says. */
export function listed(directory: Uint8Array, count: number): readonly Listed[] {
  const entries: Listed[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + CENTRAL_SIZE > directory.length) fail(`${count} entries in its directory, got ${i}`);
    const view = viewAt(directory, at);
    if (view.getUint32(0, true) !== CENTRAL) fail(`an entry at byte ${at} of its directory`);
    const nameEnd = at + CENTRAL_SIZE + view.getUint16(28, true);
    const extraEnd = nameEnd + view.getUint16(30, true);
    const end = extraEnd + view.getUint16(32, true);
    if (end > directory.length) fail(`entry ${i} within its directory`);
    const name = new TextDecoder().decode(directory.subarray(at + CENTRAL_SIZE, nameEnd));
    const narrow = [view.getUint32(24, true), view.getUint32(20, true), view.getUint32(42, true)];
    const [size, stored, offset] = widened(narrow, viewAt(directory.subarray(nameEnd, extraEnd)));
    const [flags, method] = [view.getUint16(8, true), view.getUint16(10, true)];
    entries.push({ name, flags, method, stored: stored!, size: size!, offset: offset! });
    at = end;
  }
  return entries;
}
