// Clause 4 of the contract, executable: sums of gradients.
import { fill } from "../../base/arrays.js";
import type { Control } from "../../kernels/control.js";
import { Traversal } from "../../kernels/layout.js";
import { inputOf, maskOf, maskedAt, type Masked } from "./activation.js";
import { columnOf, fold, slotsOf, widthOf, type Block, type Slots } from "./blocks.js";
import { reduce, statesByGroup, type Summation } from "./reduce.js";
import { round, type Floats } from "../../base/types.js";

/** S = Σg and U = Σg·(x − center). */
export interface Sums {
  readonly S: number;
  readonly U: number;
}

function merge(a: Sums, b: Sums): Sums {
  return { S: a.S + b.S, U: a.U + b.U };
}

/** Σg and Σg·d by slot, d = x − center; a channel has `perChannel` columns. `wide` does not round. */
function addUp(mask: Masked, block: Block, perChannel: number, { first, second }: Slots, wide: boolean): void {
  const { column, columns, lanes, runs, runStride, length, stride } = block;
  const { activation, x, dy } = mask;
  const { isActive } = activation;
  const isPlain = !isActive && !activation.fromOutput;
  const isFloat32 = activation.isFloat32 && !wide;
  const width = lanes * columns;
  const step = width * stride;
  fill(first, 0, 0, width);
  fill(second, 0, 0, width);
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
        const g = isActive ? maskedAt(mask, c, p) : dy[p]!;
        const d = round(isFloat32, inputOf(activation, x[p]!) - center);
        S = round(isFloat32, S + g);
        U = round(isFloat32, U + round(isFloat32, g * d));
      }
      first[slot] = S;
      second[slot] = U;
    }
  }
}

/** The sums of the j-th column, made once more in float64. */
function wideSums(mask: Masked, block: Block, j: number, perChannel: number): Sums {
  const slots = slotsOf(block.lanes);
  addUp(mask, columnOf(block, j), perChannel, slots, true);
  return { S: fold(slots.first, 1, 0), U: fold(slots.second, 1, 0) };
}

/** How blocks are added to the sums of their groups. */
function blockAdder(control: Control, x: Floats, dy: Floats, residualOrY: Floats | null): Summation<Sums>["addBlock"] {
  const { traversal, extent } = control;
  const mask = maskOf(control, x, dy, residualOrY);
  const perChannel = traversal === Traversal.planes ? 1 : extent.inner;
  const slots = slotsOf(widthOf(control));

  return (block, groups) => {
    const { column, columns } = block;
    addUp(mask, block, perChannel, slots, false);
    for (let j = 0; j < columns; j++) {
      let S = fold(slots.first, columns, j);
      let U = fold(slots.second, columns, j);
      const isFinite = Number.isFinite(S) && Number.isFinite(U);
      if (control.isFloat32 && !isFinite) ({ S, U } = wideSums(mask, block, j, perChannel));
      const group = groups[column + j]!;
      groups[column + j] = { S: group.S + S, U: group.U + U };
    }
  };
}

const EMPTY: Sums = { S: 0, U: 0 };

/** The sums of all columns by groups, before they are added. The coefficients are in the control block. */
export function sumsByGroup(control: Control, x: Floats, dy: Floats, residualOrY: Floats | null): Sums[][] {
  return statesByGroup(control, { empty: EMPTY, addBlock: blockAdder(control, x, dy, residualOrY) });
}

/** The kernel. */
export function gradientSums(control: Control, x: Floats, dy: Floats, residualOrY: Floats | null): void {
  const { fields } = control;
  reduce(control, { empty: EMPTY, merge, addBlock: blockAdder(control, x, dy, residualOrY) }).forEach(({ S, U }, c) => {
    fields.sumG[c] = S;
    fields.sumGX[c] = U;
  });
}
