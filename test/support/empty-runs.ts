// Run in a process of its own: tensors of no elements but huge sizes, which must cost nothing.
import { traversalOf } from "../../src/kernels/control.js";
import { Slot } from "../../src/kernels/layout.js";
import { KERNEL_NAMES } from "../../src/kernels/operands.js";
import { blockLength, entryOperandsOf, loadSets, writeHeader } from "./addon.js";

const HUGE = 2 ** 53;
let calls = 0;
for (const [, kernels] of loadSets(process.argv[2]!)) {
  for (const [outer, channels, inner] of [
    [HUGE, 1, 0],
    [HUGE, 0, 1],
    [HUGE, 0, HUGE],
    [0, 0, HUGE],
    [0, 1, HUGE],
    [0, 1, 15],
    [0, 4, 15],
  ] as const) {
    const extent = { outer, channels, inner };
    const traversal = traversalOf(extent);
    const block = new Float64Array(blockLength(extent));
    for (const name of KERNEL_NAMES) {
      writeHeader(block, extent, traversal);
      block[Slot.count] = 0;
      kernels[name](block, ...entryOperandsOf(name).map(() => new Float32Array(0)));
      calls++;
    }
  }
}
console.log(JSON.stringify({ calls }));
