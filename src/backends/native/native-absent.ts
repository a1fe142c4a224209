// Stands in for native.ts in builds for browsers and edge workers: no addon, no URLs of one.
import type { Kernels } from "../../kernels/kernels.js";
import type { Means } from "../self-check/self-check.js";

export function loadNative(): Kernels {
  throw new Error("this build, for browsers and edge workers, has no native code");
}

export const checksumNote = (): string => "";

export function tuneNative(): void {}

export const nativeSupports = (): boolean => false;

export const nativeMeans = (): Means => ({});

export const nativeOffThread = (): null => null;
