// Kernels called as if another addon had changed the floating-point mode of the thread before.
import type { Kernels } from "../../src/kernels/kernels.js";
import type { FloatMode } from "./faulty-addon.js";
import { wrapped } from "./wrapped.js";

/** The kernels under a mode, which is put back after each call, and the modes found then. */
export function underFloatMode(
  kernels: Kernels,
  mode: FloatMode,
  setting: number,
): { kernels: Kernels; found: Set<number> } {
  const before = mode.get();
  const found = new Set<number>();
  const changed = wrapped(kernels, (call, _, operands) => {
    mode.set(setting);
    try {
      call(operands);
    } finally {
      found.add(mode.get());
      mode.set(before);
    }
  });
  return { found, kernels: changed };
}
