// Masked outputs in a backward: where they are 0, neither x nor dy counts, and dx is +0.
import { allocate, type Data } from "../base/types.js";
import { sameMemory } from "../values/aliases.js";
import { sizeOf, type Saved } from "../values/saved.js";
import type { Workspace } from "./workspace.js";

function hasZeros({ sampleWeights, maskedOutput }: Saved): boolean {
  return sampleWeights !== null && maskedOutput === "zero";
}

/**
 * x and dy as they count. Where masked outputs are 0, so is their dy, and whatever x is there, NaN too, it adds nothing:
 * both are copied with zeros. dx, where there is one, serves as one of the copies; it may be x or dy itself.
 */
export function countingArrays(
  { kernels, control, positions }: Workspace,
  saved: Saved,
  dy: Data,
  dx: Data | null,
): { x: Data; dy: Data } {
  const { x, sampleWeights, dtype } = saved;
  if (!hasZeros(saved)) return { x, dy };
  const copy: Data = allocate(dtype, sizeOf(saved));
  const replacesX = dx !== null && sameMemory(dx, x);
  const copies = { x: replacesX ? dx : copy, dy: !dx ? allocate(dtype, copy.length) : replacesX ? copy : dx };
  const w = positions.of(sampleWeights!);
  kernels.zeroMasked(control, x, copies.x, w);
  kernels.zeroMasked(control, dy, copies.dy, w);
  return copies;
}

/** dx at masked positions: 0·a would be −0 of a negative scale, and NaN of a channel without statistics. */
export function zeroMaskedGrads({ kernels, control, positions }: Workspace, saved: Saved, dx: Data): void {
  if (hasZeros(saved)) kernels.zeroMasked(control, dx, dx, positions.of(saved.sampleWeights!));
}
