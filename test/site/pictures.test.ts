// Histograms on one scale, and a visitor's digit made into one of MNIST's.
import { describe, expect, test } from "vitest";
import { PIXELS } from "../../examples/digits/network/samples.js";
import { digitFile } from "../../site/build/pack-digits.js";
import { unpackDigits } from "../../site/lab/digit-set.js";
import { BINS, histogram, scaleOf } from "../../site/lab/histogram.js";
import { centred } from "../../site/lab/own-digit.js";

const SIZE = 280;

describe("histograms", () => {
  test("share one scale, and count every finite value once", () => {
    const sets = [Float32Array.from({ length: 500 }, (_, i) => i / 100), new Float32Array([-3, NaN, Infinity, 8])];
    const scale = scaleOf(sets);
    expect(scale.min).toBeLessThan(0.1);
    expect(scale.max).toBeGreaterThan(4.9);
    for (const set of sets) {
      const shares = histogram(set, scale);
      expect(shares).toHaveLength(BINS);
      expect(shares.reduce((a, b) => a + b)).toBeCloseTo(1, 9);
    }
    expect(histogram(sets[1]!, scale)[0]).toBe(0.5);
    expect(histogram(sets[1]!, scale)[BINS - 1]).toBe(0.5);
  });

  test("have a scale with one value, and with none", () => {
    const one = scaleOf([new Float32Array([2, 2])]);
    expect(one.min).toBeLessThan(2);
    expect(one.max).toBeGreaterThan(2);
    expect(scaleOf([new Float32Array([NaN])])).toEqual({ min: -1, max: 1 });
    expect(histogram(new Float32Array([NaN]), { min: -1, max: 1 })).toEqual(new Array(BINS).fill(0));
  });
});

/** An image of 28×28, each pixel a square of `cell`, with its corner at (left, top). */
function drawn(image: Float32Array, cell: number, left: number, top: number): Float32Array {
  const ink = new Float32Array(SIZE * SIZE);
  for (let y = 0; y < 28 * cell; y++) {
    for (let x = 0; x < 28 * cell; x++) {
      const value = image[Math.floor(y / cell) * 28 + Math.floor(x / cell)]!;
      if (value > 0) ink[(top + y) * SIZE + left + x] = value;
    }
  }
  return ink;
}

describe("a drawn digit", () => {
  const { images } = unpackDigits(digitFile()).heldOut;

  test("of MNIST comes back as it was, whatever its size and place", () => {
    for (let i = 0; i < 20; i++) {
      const image = images.subarray(i * PIXELS, (i + 1) * PIXELS);
      const back = centred(drawn(image, 10, 0, 0), SIZE)!;
      const from = (other: Float32Array): number =>
        back.reduce((sum, value, p) => sum + Math.abs(value - other[p]!), 0) / back.reduce((a, b) => a + b);
      for (const [cell, left, top] of [
        [5, 90, 20],
        [6, 7, 100],
        [9, 20, 0],
      ] as const) {
        expect(from(centred(drawn(image, cell, left, top), SIZE)!), `digit ${i}`).toBeLessThan(1e-3);
      }
      // MNIST moved its digits by whole pixels, so that thin strokes are blurred here by up to half of one.
      expect(from(image), `digit ${i}`).toBeLessThan(0.8);
      expect(back.reduce((a, b) => a + b)).toBeCloseTo(
        image.reduce((a, b) => a + b),
        3,
      );
    }
  });

  test("has its centre of mass in the middle and a longer side of 20", () => {
    const ink = new Float32Array(SIZE * SIZE);
    for (let y = 40; y < 240; y++) for (let x = 30; x < 60; x++) ink[y * SIZE + x] = 1;
    const image = centred(ink, SIZE)!;
    const rows = Array.from({ length: 28 }, (_, row) =>
      image.subarray(row * 28, (row + 1) * 28).reduce((a, b) => a + b),
    );
    expect(rows.filter((sum) => sum > 0)).toHaveLength(20);
    expect(rows.slice(4, 24).every((sum) => Math.abs(sum - 3) < 1e-6)).toBe(true);
    const mass = rows.reduce((a, b) => a + b);
    const column = image.reduce((sum, value, p) => sum + value * ((p % 28) + 0.5), 0) / mass;
    expect(column).toBeCloseTo(14, 6);
  });

  test("of nothing is none, and a wrong length is refused", () => {
    expect(centred(new Float32Array(SIZE * SIZE), SIZE)).toBeNull();
    expect(() => centred(new Float32Array(10), SIZE)).toThrow(/280×280 has 10 values/);
  });
});
