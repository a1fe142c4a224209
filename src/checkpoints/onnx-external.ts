// Elements of an ONNX model in files beside it: which file, which bytes of it, and how the caller gives these files.
// https://github.com/onnx/onnx/blob/main/docs/ExternalData.md
import { checkBoolean, describe, isRecord } from "../base/check.js";
import { rangeError, typeError } from "../base/errors.js";
import { readOptions } from "../base/options.js";
import { readEntries } from "../layer/state-keys.js";
import { bytesOf, checkSource, isSource, sizedBytesOf, type Bytes } from "./bytes.js";
import { quoted } from "./json-text.js";
import { placeOf, type ExternalEntries } from "./onnx-location.js";
import { fail } from "./onnx-wire.js";
import { sha1Of } from "./sha1.js";
import type { CheckpointSource } from "./source.js";

/**
 * The files beside an ONNX model: an object or a `Map` of sources by the locations that the model has, such as
 * `"model.onnx.data"`, or a function that gives the source of a location.
 */
export type ExternalFiles =
  Readonly<Record<string, CheckpointSource>> | ReadonlyMap<string, CheckpointSource> | ExternalFileFinder;

/**
 * Gives the source of a file beside an ONNX model. It is called once for each location, when the first tensor of the file is
 * read. What it throws is passed on.
 *
 * @param location A relative path with slashes, without steps up. It can be joined to the folder of the model, and
 * `new URL(location, folder)` stays in that folder.
 * @returns The source, or a promise of it.
 */
export type ExternalFileFinder = (location: string) => CheckpointSource | Promise<CheckpointSource>;

/** What `open` and `load` of `batchnorm/onnx` take for a model with data in other files. */
export interface OnnxFileOptions {
  /** The files that have the elements. The default is none: then only what the model itself has can be read. */
  external?: ExternalFiles | undefined;
  /**
   * Whether to compare the SHA-1 of a file with the checksums that the model has. Each file is then read as a whole, in
   * parts of 1 MB, before its first tensor is. The default is false, as in other readers of ONNX.
   */
  checksum?: boolean | undefined;
}

export const FILE_OPTIONS = ["external", "checksum"] as const;

type Give = (location: string, written: string) => unknown;

/** How a source is found. The kinds of those that are there are checked now. */
function giverOf(external: unknown): Give | null {
  if (external === undefined) return null;
  if (typeof external === "function") return (location) => (external as (location: string) => unknown)(location);
  if (!isRecord(external) || isSource(external)) {
    const expected = "an object or a Map of files by their locations, or a function";
    throw typeError("ERR_BATCHNORM_TYPE", `"external" expected ${expected}, got ${describe(external)}`);
  }
  const files = readEntries(external);
  for (const [location, source] of files) checkSource(`external[${quoted(location)}]`, source);
  return (location, written) => files.get(written) ?? files.get(location);
}

/** The value of a key, made once. What failed may succeed at the next call. */
function once<T>(known: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const made = known.get(key) ?? make();
  known.set(key, made);
  made.catch(() => known.delete(key));
  return made;
}

/** The files beside a model. A file is opened when the first tensor of it is read. */
export class FilesBeside {
  readonly #give: Give | null;
  readonly #compares: boolean;
  readonly #opened = new Map<string, Promise<Bytes>>();
  readonly #digests = new Map<string, Promise<string>>();

  /** @param options What the caller gave to `open` or `load`. */
  constructor(options: unknown) {
    const { external, checksum } = readOptions(options, FILE_OPTIONS);
    this.#give = giverOf(external);
    this.#compares = checkBoolean("checksum", checksum ?? false);
  }

  /** The bytes of a tensor. No memory is taken for more of them than the file has. */
  async read(name: string, entries: ExternalEntries, length: number): Promise<Uint8Array<ArrayBuffer>> {
    const { location, offset, ...place } = placeOf(name, entries);
    if (place.length !== null && place.length !== length)
      fail(name, `${length} bytes of external data for its shape, got a length of ${place.length}`);
    const bytes = await once(this.#opened, location, () => this.#open(name, location, place.written));
    if (this.#compares && place.checksum !== null) {
      const digest = await once(this.#digests, location, () => sha1Of(bytes, bytes.size!));
      if (digest !== place.checksum.toLowerCase())
        fail(
          name,
          `${quoted(location)} to have the SHA-1 ${quoted(place.checksum)}, got ${digest}: it is another file`,
        );
    }
    if (offset + length > (bytes.size ?? Infinity))
      fail(name, `${length} bytes from ${offset} on in ${quoted(location)}, which has ${bytes.size}`);
    return bytes.read(offset, length);
  }

  async #open(name: string, location: string, written: string): Promise<Bytes> {
    const source: unknown = await this.#give?.(location, written);
    if (source === undefined || source === null) {
      const hint = `pass the option "external" with it, or save the model with its data inside`;
      return fail(name, `the file ${quoted(location)}, which has its elements: ${hint}`);
    }
    checkSource(`external[${quoted(location)}]`, source);
    return this.#compares ? sizedBytesOf(source) : bytesOf(source);
  }
}

/** A model that is open has its files already. */
export function checkNoFiles(options: object): void {
  const [given] = Object.keys(options);
  if (given === undefined) return;
  throw rangeError(
    "ERR_BATCHNORM_OPTION",
    `"${given}" expected a model that load opens, got an open one: pass it to open`,
  );
}
