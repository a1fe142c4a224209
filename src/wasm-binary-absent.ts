// Stands in for wasm-binary.ts in builds that import the module as a file.
export const wasmBase64 = null;
