// Masked outputs in a backward: where they are 0, neither x nor dy counts, and dx is +0.
import { after, type Later } from "../base/later.js";
import type { Data } from "../base/types.js";
import { sameMemory } from "../values/aliases.js";
import { sizeOf, type Saved } from "../values/saved.js";
import type { Workspace } from "./workspace.js";

/** x and dy as they count. */
export interface Counting {
  readonly x: Data;
  readonly dy: Data;
}

function hasZeros({ sampleWeights, maskedOutput }: Saved): boolean {
  return sampleWeights !== null && maskedOutput === "zero";
}

/**
 * x and dy as they count. Where masked outputs are 0, so is their dy, and whatever x is there, NaN too, it adds nothing:
 * both are copied with zeros. dx, where there is one, serves as one of the copies; it may be x or dy itself.
 */
export function countingArrays(
  { kernels, control, positions, scratch }: Workspace,
  saved: Saved,
  dy: Data,
  dx: Data | null,
): Later<Counting> {
  const { x, sampleWeights, dtype } = saved;
  if (!hasZeros(saved)) return { x, dy };
  const size = sizeOf(saved);
  const copy: Data = scratch(dtype, size);
  const replacesX = dx !== null && sameMemory(dx, x);
  const copies = { x: replacesX ? dx : copy, dy: !dx ? scratch(dtype, size) : replacesX ? copy : dx };
  const w = positions.of(sampleWeights!);
  return after(kernels.zeroMasked(control, x, copies.x, w), () =>
    after(kernels.zeroMasked(control, dy, copies.dy, w), () => copies),
  );
}

/** dx at masked positions: 0·a would be −0 of a negative scale, and NaN of a channel without statistics. */
export function zeroMaskedGrads({ kernels, control, positions }: Workspace, saved: Saved, dx: Data): Later<void> {
  if (hasZeros(saved)) return kernels.zeroMasked(control, dx, dx, positions.of(saved.sampleWeights!));
}
