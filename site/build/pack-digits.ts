// The digits of the page, from the dev dependency `mnist`.
import { gzipSync } from "node:zlib";
import { loadDigits } from "../../examples/digits/data.js";
import { PIXELS } from "../../examples/digits/network/samples.js";
import { ALL_DIGITS, HELD_OUT_DIGITS, TRAINING_DIGITS } from "../lab/digit-set.js";

/** Draws which digits are in the set, and which are held out. */
const SEED = 1;

/** The file of lab/digit-set.ts before it is compressed. */
export function digitFile(): Uint8Array {
  const { training, heldOut } = loadDigits(SEED);
  const file = new Uint8Array(ALL_DIGITS * (1 + PIXELS));
  const put = (from: number, count: number, { images, labels }: typeof training): void => {
    file.set(labels.subarray(0, count), from);
    // The package rounds each pixel to three digits, from which the 8 bits of MNIST come back.
    for (let i = 0; i < count * PIXELS; i++) file[ALL_DIGITS + from * PIXELS + i] = Math.round(255 * images[i]!);
  };
  put(0, TRAINING_DIGITS, training);
  put(TRAINING_DIGITS, HELD_OUT_DIGITS, heldOut);
  return file;
}

export function packDigits(): Uint8Array {
  return gzipSync(digitFile(), { level: 9 });
}
