// What a worker of the page does: the same bits on every backend, and numbers that are the algorithm's.
import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { backends, type BackendName } from "batchnorm";
import { describe, expect, it, test } from "vitest";
import { PIXELS } from "../../examples/digits/network/samples.js";
import { digitFile, packDigits } from "../../site/build/pack-digits.js";
import { ALL_DIGITS, HELD_OUT_DIGITS, TRAINING_DIGITS, unpackDigits } from "../../site/lab/digit-set.js";
import { DEFAULTS, type Settings } from "../../site/lab/settings.js";
import { Side } from "../../site/lab/side.js";

const file = digitFile();
const FAST: Settings = { ...DEFAULTS, activation: "relu", rate: 0.1, digits: 400, batch: 20, depth: 2 };

const hashOf = (side: Side): string => createHash("sha256").update(side.parameters()).digest("hex");

function trained(steps: number, settings = FAST, normalized = true, backend?: BackendName): Side {
  const side = new Side(file, settings, normalized, backend);
  side.advance(steps);
  return side;
}

describe("the digit set", () => {
  test("has whole pixels, ten digits in both parts, and is small", () => {
    const { training, heldOut } = unpackDigits(file);
    expect([training.count, heldOut.count]).toEqual([TRAINING_DIGITS, HELD_OUT_DIGITS]);
    expect(new Set(heldOut.labels).size).toBe(10);
    expect(heldOut.images.length).toBe(HELD_OUT_DIGITS * PIXELS);
    expect(heldOut.images.every((value) => value === Math.fround(Math.round(255 * value) / 255))).toBe(true);
    expect(Math.max(...heldOut.images.subarray(0, 10 * PIXELS))).toBeGreaterThan(0.9);
    const packed = packDigits();
    expect(packed.length).toBeLessThan(1_200_000);
    expect(new Uint8Array(gunzipSync(packed))).toEqual(file);
  });

  test("no training digit is held out", () => {
    const image = (i: number): string =>
      Buffer.from(file.subarray(ALL_DIGITS + i * PIXELS, ALL_DIGITS + (i + 1) * PIXELS)).toString("latin1");
    const training = new Set(Array.from({ length: TRAINING_DIGITS }, (_, i) => image(i)));
    const heldOut = Array.from({ length: HELD_OUT_DIGITS }, (_, i) => image(TRAINING_DIGITS + i));
    expect(heldOut.filter((pixels) => training.has(pixels))).toEqual([]);
  });

  test("a file of another length is refused", () => {
    expect(() => unpackDigits(file.subarray(1))).toThrow(/3924999 bytes, expected 3925000/);
  });
});

describe("the same bits", () => {
  const expected = hashOf(trained(15, FAST, true, "oracle"));

  for (const { name, status, reason } of backends()) {
    const works = status === "in use" || status === "available";
    it.skipIf(!works)(works ? name : `${name}: ${reason}`, () => {
      expect(hashOf(trained(15, FAST, true, name))).toBe(expected);
    });
  }

  test("however the steps are taken, and after a new beginning", () => {
    const side = trained(4);
    side.advance(9);
    side.look(1, 5);
    side.answers(10, true, true);
    side.state();
    side.advance(15);
    expect(hashOf(side)).toBe(expected);
    side.begin({ ...FAST, seed: 2 });
    side.advance(3);
    expect(hashOf(side)).not.toBe(expected);
    side.begin(FAST);
    side.advance(15);
    expect(hashOf(side)).toBe(expected);
  });

  test("both networks begin with the same weights, and settings change what follows", () => {
    const [without, withIt] = [false, true].map((normalized) => new Side(file, FAST, normalized).parameters());
    const bytes = 4 * PIXELS * 100;
    expect(without!.subarray(0, bytes)).toEqual(withIt!.subarray(0, bytes));
    for (const change of [{ rate: 0.2 }, { batch: 30 }, { momentum: 0.5 }]) {
      const side = trained(5);
      side.change({ ...FAST, ...change });
      expect(side.state().step).toBe(5);
      side.advance(15);
      expect(hashOf(side), JSON.stringify(change)).not.toBe(expected);
    }
    const side = trained(5);
    expect(side.change({ ...FAST, depth: 3 }).step).toBe(0);
  });
});

test("it learns, and says how well", () => {
  const { step, divergedAt, accuracy, trainingAccuracy } = trained(60).state();
  expect({ step, divergedAt }).toEqual({ step: 60, divergedAt: null });
  expect(accuracy).toBeGreaterThan(0.7);
  expect(trainingAccuracy).toBeGreaterThan(accuracy);
});

test("a network that diverges says when, and counts along without training", () => {
  const side = trained(40, { ...DEFAULTS, activation: "relu", sigma: 5, digits: 400 }, false);
  const { divergedAt, step } = side.state();
  expect(divergedAt ?? 0).toBeGreaterThan(0);
  expect(step).toBe(40);
  const before = hashOf(side);
  side.advance(60);
  expect(side.state()).toMatchObject({ divergedAt, step: 60 });
  expect(hashOf(side)).toBe(before);
  expect(side.look(0, 0).algorithm).toBeNull();
});

test("the lines of Algorithm 1 are the library's numbers", () => {
  const numbers = trained(10).look(1, 7).algorithm!;
  const { x, mean, variance, eps, xhat, gamma, beta, y, gradY, gradGamma, gradBeta, gradX, running } = numbers;
  const m = x.length;
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  expect(m).toBe(FAST.batch);
  expect(numbers.labels).toHaveLength(m);
  expect(mean).toBeCloseTo(sum(x) / m, 6);
  expect(variance).toBeCloseTo(sum(x.map((value) => (value - mean) ** 2)) / m, 6);
  expect(sum(xhat)).toBeCloseTo(0, 5);
  expect(gradBeta).toBeCloseTo(sum(gradY), 6);
  expect(gradGamma).toBeCloseTo(sum(gradY.map((value, i) => value * xhat[i]!)), 6);
  expect(Math.max(...gradY.map(Math.abs))).toBeGreaterThan(0);
  y.forEach((value, i) => expect(value).toBeCloseTo(gamma * xhat[i]! + beta, 5));
  gradX.forEach((value, i) => {
    const other = (gamma / Math.sqrt(variance + eps)) * (gradY[i]! - gradBeta / m - (xhat[i]! * gradGamma) / m);
    expect(value).toBeCloseTo(other, 6);
  });
  expect(running.variance).toBeGreaterThan(0);
});

describe("modes", () => {
  const side = trained(60);

  test("a batch of one in training mode gives every digit the same answer", () => {
    expect(new Set(side.answers(10, true, true)).size).toBe(1);
  });

  test("in evaluation mode one at a time is the same as together", () => {
    const together = side.answers(10, false, false);
    expect(side.answers(10, true, false)).toEqual(together);
    expect(new Set(together).size).toBeGreaterThan(3);
  });

  test("probabilities add up to 1", () => {
    const { images } = unpackDigits(file).heldOut;
    const probabilities = side.probabilities(images.subarray(0, PIXELS));
    expect(probabilities.reduce((a, b) => a + b)).toBeCloseTo(1, 6);
    expect(probabilities.indexOf(Math.max(...probabilities))).toBe(side.answers(1, true, false)[0]);
  });
});
