// Memory behind the module's own data that kernels copy pieces of operands to. Free memory begins behind it.
import { LANES } from "./layout";

/**
 * Holds 2048 float64, and what vectors reach past them. So many values has a block of one channel at most, and 8 rows
 * of slots with few columns have fewer.
 */
export const BUFFER_BYTES: usize = 16_512;

/** Masked gradients: of four rows of a panel of float64 at most, which fill two buffers. */
export const masked: usize = (__heap_base + 15) & ~15;

/** Behind masked gradients stand the values of x that they belong to, where x has to be made of the output. */
export const TO_INPUT: usize = 2 * BUFFER_BYTES;

/** Weights laid out as the values of a piece are. Masked gradients of a piece leave this buffer free. */
export const laidOut: usize = masked + BUFFER_BYTES;

/** Weights of four rows of a panel, BUFFER_BYTES apart. Moments mask no gradients meanwhile. */
export const laidRows: usize = masked;

/**
 * Values widened to float64: with the moments, those of x and of the weights; with the sums of gradients, of x and g.
 */
export const wideX: usize = masked + 3 * BUFFER_BYTES;
export const wideW: usize = masked;
export const wideG: usize = masked + BUFFER_BYTES;

/** Centers widened to float64, one for each slot with few columns. */
export const wideCenter: usize = masked + 4 * BUFFER_BYTES;
const MOST_SLOTS: usize = LANES * 15;

/** The sums of a block's weights: one for each inner index, in the planes traversal one. */
export const weightSums: usize = wideCenter + ((MOST_SLOTS + LANES) << 3);

/** The sums of the weights of the blocks of the first tile, which are those of the other tiles too. */
export const CACHED: usize = 1024;
export const weightCache: usize = weightSums + (LANES << 3);

export const BUFFERS_END: usize = weightCache + (CACHED << 3);
