// Where the bytes of a file come from. Every source is read by ranges, so that a file of many gigabytes costs what is
// asked for.
import { bufferOf, byteLengthOf, byteOffsetOf, describe, tagOf } from "../base/check.js";
import { messageOf, rangeError, typeError } from "../base/errors.js";
import type { BlobSource, FileSource, ResponseSource, UrlSource } from "./source.js";
import { fetchAll, fetchRange, partOf } from "./url-parts.js";

/** Bytes that are read by ranges. */
export interface Bytes {
  /** The number of bytes, or null where a server does not say it. */
  readonly size: number | null;
  /** A copy of some bytes. All of them are there, or it throws. */
  read(begin: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** The largest part that Node's `read` takes at once is 2^31 - 1. */
const MOST_AT_ONCE = 2 ** 30;

/** Memory for as many bytes as a file has at least. */
export function allocateBytes(length: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(length);
  } catch (error) {
    throw rangeError("ERR_BATCHNORM_MEMORY", `cannot allocate ${length} bytes: ${messageOf(error)}`);
  }
}

function fromMemory(bytes: Uint8Array): Bytes {
  const read = (begin: number, length: number): Promise<Uint8Array<ArrayBuffer>> => {
    const copy = allocateBytes(length);
    copy.set(bytes.subarray(begin, begin + length));
    return Promise.resolve(copy);
  };
  return checked({ size: bytes.length, read });
}

function fromBlob(blob: BlobSource): Bytes {
  const read = async (begin: number, length: number): Promise<Uint8Array<ArrayBuffer>> =>
    new Uint8Array(await blob.slice(begin, begin + length).arrayBuffer());
  return checked({ size: blob.size, read });
}

async function fromFile(file: FileSource): Promise<Bytes> {
  const { size } = await file.stat();
  const read = async (begin: number, length: number): Promise<Uint8Array<ArrayBuffer>> => {
    const bytes = allocateBytes(length);
    let done = 0;
    while (done < length) {
      const { bytesRead } = await file.read(bytes, done, Math.min(length - done, MOST_AT_ONCE), begin + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return bytes.subarray(0, done);
  };
  return checked({ size, read });
}

async function fromResponse(response: ResponseSource): Promise<Bytes> {
  if (!response.ok)
    throw rangeError("ERR_BATCHNORM_FILE", `the server expected to send the file, got status ${response.status}`);
  return fromMemory(new Uint8Array(await response.arrayBuffer()));
}

/** A server that does not know ranges sends everything, with status 200 instead of 206. */
async function fromUrl({ href }: UrlSource): Promise<Bytes> {
  const response = await fetchRange(href, 0, 8);
  if (response.status !== 206) return fromResponse(response);
  const head = await partOf(response, 0);
  const read = async (begin: number, length: number): Promise<Uint8Array<ArrayBuffer>> =>
    begin === 0 && length === 8 ? head.bytes : (await partOf(await fetchRange(href, begin, length), begin)).bytes;
  return checked({ size: head.size, read });
}

/** Nothing is allocated for bytes that the file has not, and none is missing in what `read` returns. */
function checked(source: Bytes): Bytes {
  const { size } = source;
  const check = (begin: number, length: number, end: number): void => {
    if (begin + length <= end) return;
    const wanted = `${length} bytes from ${begin}`;
    throw rangeError("ERR_BATCHNORM_FILE", `the file is cut short: it expected ${wanted}, and ends at ${end}`);
  };
  return {
    size,
    read: async (begin, length) => {
      check(begin, length, size ?? Infinity);
      if (length === 0) return new Uint8Array(0);
      const bytes = await source.read(begin, length);
      check(begin, length, begin + bytes.length);
      return bytes.length === length ? bytes : bytes.slice(0, length);
    },
  };
}

const hasMethods = (value: object, ...names: readonly string[]): boolean =>
  names.every((name) => typeof (value as Record<string, unknown>)[name] === "function");

type Open = () => Bytes | Promise<Bytes>;

/** How a source is opened, or null if it is none. */
function openerOf(source: unknown): Open | null {
  if (tagOf(source) !== undefined) return () => fromMemory(viewOf(source as ArrayBufferView));
  if (typeof source !== "object" || source === null) return null;
  const tag = Object.prototype.toString.call(source);
  if (tag === "[object ArrayBuffer]" || tag === "[object SharedArrayBuffer]")
    return () => fromMemory(new Uint8Array(source as ArrayBuffer));
  if (ArrayBuffer.isView(source))
    return () => fromMemory(new Uint8Array(source.buffer, source.byteOffset, source.byteLength));
  if (hasMethods(source, "read", "stat")) return () => fromFile(source as FileSource);
  if (hasMethods(source, "slice", "arrayBuffer")) return () => fromBlob(source as BlobSource);
  if (hasMethods(source, "arrayBuffer")) return () => fromResponse(source as ResponseSource);
  return typeof (source as UrlSource).href === "string" ? () => fromUrl(source as UrlSource) : null;
}

export const isSource = (value: unknown): boolean => openerOf(value) !== null;

function openerAt(name: string, source: unknown): Open {
  const opener = openerOf(source);
  if (opener) return opener;
  const expected = "bytes, a Blob, a file of fs.promises.open, a Response or a URL";
  const hint = typeof source === "string" ? ": of a path, pass what readFile or open of node:fs/promises give" : "";
  throw typeError("ERR_BATCHNORM_TYPE", `${name} expected ${expected}, got ${describe(source)}${hint}`);
}

/** Checks the kind of a source, without reading anything. */
export function checkSource(name: string, source: unknown): void {
  openerAt(name, source);
}

/** Opens a source. A source that cannot be read rejects with its own error. */
export async function bytesOf(source: unknown): Promise<Bytes> {
  return openerAt('"file"', source)();
}

/** All bytes of a source. */
export async function wholeOf(source: unknown): Promise<Uint8Array> {
  const isUrl = typeof source === "object" && source !== null && typeof (source as UrlSource).href === "string";
  const bytes = isUrl ? await fromResponse(await fetchAll((source as UrlSource).href)) : await bytesOf(source);
  return bytes.read(0, bytes.size!);
}

/** Bytes of a known size. Where a server does not say it, the whole file is fetched. */
export async function sizedBytesOf(source: unknown): Promise<Bytes> {
  const bytes = await bytesOf(source);
  return bytes.size === null ? fromMemory(await wholeOf(source)) : bytes;
}

/** The bytes of a typed array. */
export function viewOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(bufferOf(array), byteOffsetOf(array), byteLengthOf(array));
}
