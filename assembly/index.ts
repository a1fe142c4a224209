// The module's exports: the six kernels, and where free memory begins. `size` is the bytes of a value, 4 for float32
// and 8 for float64; pointers are byte addresses in the module's memory, 0 stands for an absent operand. Kernels may
// read, never write, up to 128 bytes past an operand's end.
import { MASKED_BYTES, masked } from "./affine";

export { backward } from "./backward";
export { forward } from "./forward";
export { gradInput } from "./gradInput";
export { gradSums } from "./gradSums";
export { moments } from "./moments";
export { normalize } from "./normalize";

export const heapBase: usize = masked + MASKED_BYTES;
