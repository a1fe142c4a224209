// The package h5wasm, with which batchnorm/keras reads HDF5: 15 MB, installed at the first test that needs it.
import { packagesIn } from "../../scripts/tools/packages.js";

const packages = packagesIn(new URL("packages/", import.meta.url));

/** Where it is once it is installed. */
export const hdf5Package = packages.folderIn("h5wasm");

/** Null, or why it cannot be had. */
export function installHdf5(): string | null {
  return packages.install("h5wasm, 15 MB", console.log);
}
