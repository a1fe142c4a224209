// The addon as any script can load it: its entry points without the library's checks before them.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { controlLength, type Extent } from "../../src/kernels/control.js";
import { HEADER, Slot, type Traversal } from "../../src/kernels/layout.js";
import { KERNELS, OPERANDS, operandOf, type KernelName, type OperandName } from "../../src/kernels/operands.js";
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
  return setsOf(loadAddon<{ instructionSets: InstructionSets }>(path));
}

/** Those of an addon that was loaded. */
export function setsOf({
  instructionSets,
}: {
  instructionSets: InstructionSets;
}): [name: string, kernels: AddonKernels][] {
  return Object.entries(instructionSets).filter(
    (entry): entry is [string, AddonKernels] => !("unavailable" in entry[1]),
  );
}

/** An operand of an entry point. */
export interface EntryOperand {
  readonly name: OperandName;
  readonly role: "input" | "output" | "weights";
  readonly isOptional: boolean;
}

/** The operands of an entry point, behind the control block. */
export function entryOperandsOf(name: KernelName): EntryOperand[] {
  return KERNELS[name].operands.map((entry) => {
    const { name: operand, isOptional } = operandOf(entry);
    return { name: operand, role: OPERANDS[operand].role, isOptional };
  });
}

/** Writes a valid header to the front of a block. */
export function writeHeader(block: Float64Array, { outer, channels, inner }: Extent, traversal: Traversal): void {
  block.fill(0, 0, Math.min(HEADER, block.length));
  block.set([outer, channels, inner, traversal], Slot.outer);
  block[Slot.eps] = 1e-5;
  block[Slot.count] = outer * inner;
}

/** Elements of the block that a call may touch. */
export function blockLength(extent: Extent): number {
  return Math.max(HEADER, controlLength(extent));
}
