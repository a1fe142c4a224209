// Clause 4 of the contract, executable: sums of gradients.
import { GROUP, Part, Walk, type Control } from "../../kernels/control.js";
import { blocksOf, columnOf, fold, passesOf, slotsOf, widthOf, type Block, type Slots } from "./blocks.js";
import { inputOf, maskOf, maskedAt, type Masked } from "./elements.js";
import { round, type Floats } from "../../base/types.js";

/** Σg and Σg·d by slot, d = x − center; a channel has `perChannel` columns. `wide` does not round. */
function addUp(mask: Masked, block: Block, perChannel: number, { first, second }: Slots, wide: boolean): void {
  const { column, columns, lanes, runs, runStride, length, stride } = block;
  const { x, dy, relu } = mask;
  const isPlain = !relu && !mask.inverse;
  const isFloat32 = mask.isFloat32 && !wide;
  const width = lanes * columns;
  const step = width * stride;
  first.fill(0, 0, width);
  second.fill(0, 0, width);
  for (let run = 0, start = block.start; run < runs; run++, start += runStride) {
    const end = start + length * stride;
    for (let slot = 0; slot < width; slot++) {
      const c = Math.floor((column + (slot % columns)) / perChannel);
      const center = mask.center[c]!;
      let S = first[slot]!;
      let U = second[slot]!;
      let p = start + slot * stride;
      // By itself, as in the element loops.
      if (isPlain) {
        for (; p < end; p += step) {
          const g = dy[p]!;
          S = round(isFloat32, S + g);
          U = round(isFloat32, U + round(isFloat32, g * round(isFloat32, x[p]! - center)));
        }
      }
      for (; p < end; p += step) {
        const g = relu ? maskedAt(mask, c, p) : dy[p]!;
        const d = round(isFloat32, inputOf(mask, x[p]!) - center);
        S = round(isFloat32, S + g);
        U = round(isFloat32, U + round(isFloat32, g * d));
      }
      first[slot] = S;
      second[slot] = U;
    }
  }
}

/** Adds a block to the groups of its columns; float32 sums that are not finite are made once more in float64. */
function addBlock(
  mask: Masked,
  block: Block,
  perChannel: number,
  slots: Slots,
  groupS: Float64Array,
  groupU: Float64Array,
): void {
  const { column, columns, lanes } = block;
  addUp(mask, block, perChannel, slots, false);
  for (let j = 0; j < columns; j++) {
    let S = fold(slots.first, columns, j);
    let U = fold(slots.second, columns, j);
    if (mask.isFloat32 && !(Number.isFinite(S) && Number.isFinite(U))) {
      const wide = slotsOf(lanes);
      addUp(mask, columnOf(block, j), perChannel, wide, true);
      S = fold(wide.first, 1, 0);
      U = fold(wide.second, 1, 0);
    }
    groupS[column + j]! += S;
    groupU[column + j]! += U;
  }
}

/** Groups of the block's columns into their totals; they start again from +0. */
function closeGroups({ column, columns }: Block, [totalS, totalU, groupS, groupU]: readonly Float64Array[]): void {
  for (let c = column; c < column + columns; c++) {
    totalS![c]! += groupS![c]!;
    totalU![c]! += groupU![c]!;
    groupS![c] = groupU![c] = 0;
  }
}

/** Σg and Σg·d per channel: its columns in order. */
function channelSums({ fields, extent, state }: Control): void {
  const [totalS, totalU, groupS, groupU] = state;
  const perChannel = totalS!.length / extent.channels;
  for (let c = 0, column = 0; c < extent.channels; c++) {
    let [S, U] = [0, 0];
    for (const end = column + perChannel; column < end; column++) {
      S += totalS![column]! + groupS![column]!;
      U += totalU![column]! + groupU![column]!;
    }
    fields.sumG[c] = S;
    fields.sumGX[c] = U;
  }
}

/** The kernel; a part goes on from what an earlier one left. */
export function gradSums(control: Control, x: Floats, dy: Floats, aux: Floats | null): void {
  const { state, walk, extent } = control;
  const begins = (control.get("part") & Part.first) !== 0;
  const number = begins ? 0 : control.get("block");
  if (begins) for (const sums of state) sums.fill(0);
  const mask = maskOf(control, x, dy, aux);
  const perChannel = walk === Walk.planes ? 1 : extent.inner;
  const slots = slotsOf(widthOf(control));
  for (let channel = 0; channel < passesOf(control); channel++) {
    let next = number;
    for (const block of blocksOf(control, channel)) {
      if (next++ % GROUP === 0) closeGroups(block, state);
      addBlock(mask, block, perChannel, slots, state[2]!, state[3]!);
    }
    control.set("block", next);
  }
  if ((control.get("part") & Part.last) !== 0) channelSums(control);
}
