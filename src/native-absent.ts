// Stands in for native.ts where bundlers build for browsers (package.json, "browser"): no addon, no URLs of one.
import type { Kernels } from "./kernels.js";

export function loadNative(): Kernels {
  throw new Error("bundled for browsers: no native code");
}

export function tuneNative(): void {}
