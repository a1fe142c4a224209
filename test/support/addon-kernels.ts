// An addon's exports, and its instruction sets as the library calls them.
import type { Kernels } from "../../src/kernels/kernels.js";
import type { KernelName } from "../../src/kernels/operands.js";
import { kernelsFrom } from "./wrapped.js";

type Call = (block: Float64Array, ...data: unknown[]) => void;
export interface AddonKernels extends Readonly<Record<KernelName, Call>> {
  readonly has16Bit: boolean;
  readonly hashes: (type: number, isWeighted: boolean) => number[];
  readonly later: Readonly<Record<KernelName, (...args: unknown[]) => Promise<void>>>;
}
export type InstructionSets = Readonly<Record<string, AddonKernels | { readonly unavailable: string }>>;

/** What an addon exports. */
export function loadAddon<T>(path: string): T {
  const module = { exports: {} };
  process.dlopen(module, path);
  return module.exports as T;
}

/** An instruction set as the library calls it. */
export function kernelsOf(set: AddonKernels): Kernels {
  return kernelsFrom((name) => ({ block }, ...operands) => {
    set[name](block, ...operands);
  });
}
