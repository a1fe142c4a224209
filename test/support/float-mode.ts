// Kernels called as if another addon had changed the floating-point mode of the thread before.
import type { Kernels } from "../../src/kernels/kernels.js";
import type { FloatMode } from "./faulty-addon.js";

/** The kernels under a mode, which is put back after each call, and the modes found then. */
export function underFloatMode(
  kernels: Kernels,
  mode: FloatMode,
  setting: number,
): { kernels: Kernels; found: Set<number> } {
  const before = mode.get();
  const found = new Set<number>();
  const during = (call: () => void): void => {
    mode.set(setting);
    try {
      call();
    } finally {
      found.add(mode.get());
      mode.set(before);
    }
  };
  return {
    found,
    kernels: {
      moments: (...args) => during(() => kernels.moments(...args)),
      normalize: (...args) => during(() => kernels.normalize(...args)),
      gradSums: (...args) => during(() => kernels.gradSums(...args)),
      gradInput: (...args) => during(() => kernels.gradInput(...args)),
      forward: (...args) => during(() => kernels.forward(...args)),
      backward: (...args) => during(() => kernels.backward(...args)),
      weightedMoments: (...args) => during(() => kernels.weightedMoments(...args)),
      weightedGradInput: (...args) => during(() => kernels.weightedGradInput(...args)),
      weightedForward: (...args) => during(() => kernels.weightedForward(...args)),
      weightedBackward: (...args) => during(() => kernels.weightedBackward(...args)),
      zeroMasked: (...args) => during(() => kernels.zeroMasked(...args)),
    },
  };
}
