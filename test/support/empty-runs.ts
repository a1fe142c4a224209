// Run in a process of its own: tensors of no elements but huge sizes, which must cost nothing.
import { Walk } from "../../src/kernels/control.js";
import { blockLength, ENTRY_POINTS, loadSets, OPERANDS, writeHeader } from "./addon.js";

const HUGE = 2 ** 53;
let calls = 0;
for (const [, kernels] of loadSets(process.argv[2]!)) {
  for (const walk of Object.values(Walk)) {
    for (const [outer, channels, inner] of [
      [HUGE, 1, 0],
      [HUGE, 0, 1],
      [HUGE, 0, HUGE],
      [0, 0, HUGE],
      [0, 1, walk === Walk.planes ? HUGE : 15],
    ] as const) {
      const block = new Float64Array(blockLength({ outer, channels, inner }, walk));
      const extent = { outer, channels, inner };
      for (const name of ENTRY_POINTS) {
        writeHeader(block, extent, walk);
        block[6] = 0;
        kernels[name](block, ...OPERANDS[name].map(() => new Float32Array(0)));
        calls++;
      }
    }
  }
}
console.log(JSON.stringify({ calls }));
