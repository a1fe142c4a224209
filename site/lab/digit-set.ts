// The page's digits: one byte a label and a pixel, in one file, unpacked the same way in a browser and in Node.
import { PIXELS, type Digits, type Samples } from "../../examples/digits/network/samples.js";

export const TRAINING_DIGITS = 4000;
export const HELD_OUT_DIGITS = 1000;
export const ALL_DIGITS = TRAINING_DIGITS + HELD_OUT_DIGITS;

/** Pixels of 0–255 as the network takes them: 0–1, rounded once to float32. */
export function imagesOf(pixels: Uint8Array): Float32Array {
  const images = new Float32Array(pixels.length);
  for (let i = 0; i < pixels.length; i++) images[i] = pixels[i]! / 255;
  return images;
}

/** The file has all labels, and then all pixels: the training digits first. */
export function unpackDigits(file: Uint8Array): Digits {
  const length = ALL_DIGITS * (1 + PIXELS);
  if (file.length !== length) throw new RangeError(`the digit set has ${file.length} bytes, expected ${length}`);
  const part = (from: number, count: number): Samples => {
    const pixels = file.subarray(ALL_DIGITS + from * PIXELS, ALL_DIGITS + (from + count) * PIXELS);
    return { count, labels: file.slice(from, from + count), images: imagesOf(pixels) };
  };
  return { training: part(0, TRAINING_DIGITS), heldOut: part(TRAINING_DIGITS, HELD_OUT_DIGITS) };
}
