// The package h5wasm, with which batchnorm/keras reads HDF5: 15 MB, installed at the first test that needs it.
import { packagesIn } from "../../scripts/tools/packages.js";

/** Null, or why it cannot be had. */
export function installHdf5(): string | null {
  return packagesIn(new URL("packages/", import.meta.url)).install("h5wasm, 15 MB", console.log);
}
