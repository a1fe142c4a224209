// Stands in for packaged-module.ts in builds for edge workers, which refuse to compile at run time: a static import.
import module from "./batchnorm.wasm";

export const packagedModule = (): WebAssembly.Module => module;

export const packagedBytes: (() => Uint8Array<ArrayBuffer>) | null = null;
