// The package h5wasm, which is HDF5's own library in WebAssembly. A whole file goes into its memory, where it can harm
// nothing else.
import type * as h5wasm from "h5wasm";
import type { Group } from "h5wasm";
import { messageOf, rangeError } from "../base/errors.js";

let files = 0;

/** An error inside of h5wasm leaves some KB of its stack in use. After 2,200 of them it reads no file any more. */
const MOST_DAMAGED = 1000;
let damaged = 0;

/** The end of the file that the superblock of HDF5 tells (versions 0 and 1, or 2 and 3), or null where it is none. */
function endOf(bytes: Uint8Array): number | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 56) return null;
  const version = bytes[8]!;
  if (version > 3 || bytes[version < 2 ? 13 : 9] !== 8) return null;
  return Number(view.getBigUint64([40, 44, 28, 28][version]!, true));
}

function checkReadable(bytes: Uint8Array): void {
  const end = endOf(bytes);
  if (end !== null && end > bytes.length)
    throw rangeError("ERR_BATCHNORM_FILE", `the file expected ${end} bytes of HDF5, got ${bytes.length}`);
  if (damaged < MOST_DAMAGED) return;
  const text = `"h5wasm" has met ${damaged} damaged files and loses memory with each: read such files in a worker, and end it`;
  throw rangeError("ERR_BATCHNORM_PACKAGE", text);
}

async function library(): Promise<typeof h5wasm> {
  try {
    return await import("h5wasm");
  } catch (error) {
    const text = `files of HDF5 need the package "h5wasm": npm install h5wasm (${messageOf(error)})`;
    throw rangeError("ERR_BATCHNORM_PACKAGE", text);
  }
}

/** HDF5 tells where an error passed, in many lines; the innermost is the cause. */
function causeOf(error: unknown): string {
  const message = messageOf(error);
  const causes = [...message.matchAll(/in \w+\(\): (.*)$/gm)];
  return causes.at(-1)?.[1] ?? message.split("\n")[0]!;
}

/** Has a turn at the library. Each file has a path of its own, since the library knows files by their paths. */
export async function session<T>(
  mode: "r" | "w",
  bytes: Uint8Array,
  use: (file: Group) => T,
): Promise<readonly [T, Uint8Array]> {
  if (mode === "r") checkReadable(bytes);
  const { File, ready } = await library();
  const module = await ready;
  const path = `/batchnorm-${files++}.h5`;
  module.FS.writeFile(path, bytes);
  module.activate_throwing_error_handler();
  try {
    const file = new File(path, mode);
    let result: T;
    try {
      result = use(file);
    } finally {
      file.close();
    }
    return [result, mode === "w" ? module.FS.readFile(path) : bytes];
  } catch (error) {
    if (error instanceof RangeError && "code" in error) throw error;
    if (mode === "r") damaged++;
    const cause = causeOf(error);
    if (mode === "r") throw rangeError("ERR_BATCHNORM_FILE", `the file cannot be read as HDF5: ${cause}`);
    throw rangeError("ERR_BATCHNORM_VALUE", `the names cannot be paths in a file of HDF5: ${cause}`);
  } finally {
    module.deactivate_throwing_error_handler();
    module.FS.unlink(path);
  }
}
