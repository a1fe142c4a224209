// The addon as any script can load it: its entry points without the library's checks before them.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { controlLength, HEADER, Part, Slot, type Extent, type Walk } from "../../src/kernels/control.js";
import type { Kernels } from "../../src/kernels/kernels.js";
import { loadAddon, type AddonKernels, type InstructionSets } from "./addon-kernels.js";
import { root } from "./package-copy.js";

/** The built binary; null where there is none. */
export function addonPath(): string | null {
  const folder = join(root, "prebuilds", `${process.platform}-${process.arch}`);
  const names = ["batchnorm.glibc.node", "batchnorm.musl.node", "batchnorm.node"];
  return names.map((name) => join(folder, name)).find((path) => existsSync(path)) ?? null;
}

/** The instruction sets that run here. */
export function loadSets(path: string): [name: string, kernels: AddonKernels][] {
  const { instructionSets } = loadAddon<{ instructionSets: InstructionSets }>(path);
  return Object.entries(instructionSets).filter(
    (entry): entry is [string, AddonKernels] => !("unavailable" in entry[1]),
  );
}

/** Operands of each entry point behind the control block: how many, which may be null, which are written. */
export const OPERANDS: Readonly<
  Record<keyof Kernels, readonly ("input" | "optional" | "output" | "optional output" | "weights")[]>
> = {
  moments: ["input"],
  normalize: ["input", "output", "optional"],
  gradSums: ["input", "input", "optional"],
  gradInput: ["input", "input", "output", "optional", "optional output"],
  forward: ["input", "output", "optional"],
  backward: ["input", "input", "output", "optional", "optional output"],
  weightedMoments: ["input", "weights"],
  weightedGradInput: ["input", "input", "output", "optional", "optional output", "weights"],
  weightedForward: ["input", "output", "optional", "weights"],
  weightedBackward: ["input", "input", "output", "optional", "optional output", "weights"],
  zeroMasked: ["input", "output", "weights"],
};
export const ENTRY_POINTS = Object.keys(OPERANDS) as readonly (keyof Kernels)[];

/** Writes a valid header to the front of a block. */
export function writeHeader(block: Float64Array, { outer, channels, inner }: Extent, walk: Walk): void {
  block.fill(0, 0, Math.min(HEADER, block.length));
  block.set([outer, channels, inner, walk], Slot.outer);
  block[Slot.eps] = 1e-5;
  block[Slot.count] = outer * inner;
  block[Slot.part] = Part.whole;
}

/** Elements of the block that a call may touch. */
export function blockLength(extent: Extent, walk: Walk): number {
  return Math.max(HEADER, controlLength(extent, walk));
}
