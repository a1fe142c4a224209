// The digits' pictures, and the held-out digits of the set as pixels.
import { PIXELS } from "../../examples/digits/network/samples.js";
import { ALL_DIGITS, imagesOf, TRAINING_DIGITS } from "../lab/digit-set.js";

const SIDE = 28;

export interface HeldOut {
  readonly label: number;
  readonly image: Float32Array;
}

export function heldOut(file: Uint8Array, i: number): HeldOut {
  const start = ALL_DIGITS + (TRAINING_DIGITS + i) * PIXELS;
  return { label: file[TRAINING_DIGITS + i]!, image: imagesOf(file.subarray(start, start + PIXELS)) };
}

/** Dark on light in both themes, as ink on paper. */
export function paint(canvas: HTMLCanvasElement, image: Float32Array): void {
  const context = canvas.getContext("2d")!;
  const picture = context.createImageData(SIDE, SIDE);
  image.forEach((value, i) => {
    const grey = Math.round(255 * (1 - value));
    picture.data.set([grey, grey, grey, 255], 4 * i);
  });
  context.putImageData(picture, 0, 0);
}
