// An addon's exports, and its instruction sets as the library calls them.
import type { Kernels } from "../../src/kernels/kernels.js";

type Call = (block: Float64Array, ...data: unknown[]) => void;
export type AddonKernels = Readonly<Record<keyof Kernels, Call>> & { readonly has16Bit: boolean };
export type InstructionSets = Readonly<Record<string, AddonKernels | { readonly unavailable: string }>>;

/** What an addon exports. */
export function loadAddon<T>(path: string): T {
  const module = { exports: {} };
  process.dlopen(module, path);
  return module.exports as T;
}

/** An instruction set as the library calls it. */
export function kernelsOf(set: AddonKernels): Kernels {
  const call =
    (name: keyof Kernels) =>
    (control: { readonly block: Float64Array }, ...data: unknown[]): void => {
      set[name](control.block, ...data);
    };
  return {
    moments: call("moments"),
    normalize: call("normalize"),
    gradSums: call("gradSums"),
    gradInput: call("gradInput"),
    forward: call("forward"),
    backward: call("backward"),
    weightedMoments: call("weightedMoments"),
    weightedGradInput: call("weightedGradInput"),
    weightedForward: call("weightedForward"),
    weightedBackward: call("weightedBackward"),
    zeroMasked: call("zeroMasked"),
  };
}
