// The package h5wasm, which is HDF5's own library in WebAssembly. A whole file goes into its memory, where it can harm
// nothing else.
import type * as h5wasm from "h5wasm";
import type { Group } from "h5wasm";
import { messageOf, rangeError } from "../base/errors.js";

let files = 0;

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
    const cause = causeOf(error);
    if (mode === "r") throw rangeError("ERR_BATCHNORM_FILE", `the file cannot be read as HDF5: ${cause}`);
    throw rangeError("ERR_BATCHNORM_VALUE", `the names cannot be paths in a file of HDF5: ${cause}`);
  } finally {
    module.deactivate_throwing_error_handler();
    module.FS.unlink(path);
  }
}
