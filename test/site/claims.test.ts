// What the page says beside each claim is what happens, with the seed that it begins with.
import { expect, test } from "vitest";
import { digitFile } from "../../site/build/pack-digits.js";
import type { Both } from "../../site/lab/conductor.js";
import { HELD_OUT_DIGITS, TRAINING_DIGITS } from "../../site/lab/digit-set.js";
import { presets, type PresetName } from "../../site/lab/presets.js";
import { Side, type State } from "../../site/lab/side.js";

const file = digitFile();

function sidesOf(name: PresetName): Both<Side> {
  const { settings } = presets.find((preset) => preset.name === name)!;
  return { without: new Side(file, settings, false), with: new Side(file, settings, true) };
}

function after(name: PresetName, steps: number): Both<State> {
  const sides = sidesOf(name);
  return { without: sides.without.advance(steps), with: sides.with.advance(steps) };
}

const spreadOf = (side: Side): number => {
  const values = side.look(2, 0).after;
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
};

test("faster training", () => {
  const { without, with: withIt } = after("speed", 150);
  expect(withIt.accuracy).toBeGreaterThan(0.8);
  expect(without.accuracy).toBeLessThan(0.4);
});

test("rate 3: the one diverges, the other learns", () => {
  const { without, with: withIt } = after("rate", 40);
  expect(without.divergedAt).not.toBeNull();
  expect(withIt.divergedAt).toBeNull();
  expect(withIt.accuracy).toBeGreaterThan(0.75);
});

test("large weights: the one diverges, the other learns slowly", () => {
  const { without, with: withIt } = after("large", 200);
  expect(without.divergedAt).not.toBeNull();
  expect(withIt.accuracy).toBeGreaterThan(0.25);
  expect(withIt.accuracy).toBeLessThan(0.6);
});

test.each(["small", "deep"] as const)("%s: the one guesses, the other learns", (name) => {
  const { without, with: withIt } = after(name, 60);
  expect(without.accuracy).toBeLessThan(0.2);
  expect(withIt.accuracy).toBeGreaterThan(0.75);
});

test("200 digits: the gap is no smaller", () => {
  const { without, with: withIt } = after("overfit", 250);
  const gap = ({ trainingAccuracy, accuracy }: State): number => trainingAccuracy - accuracy;
  expect([without.trainingAccuracy, withIt.trainingAccuracy]).toEqual([1, 1]);
  expect(gap(withIt)).toBeGreaterThanOrEqual(gap(without));
});

test("covariate shift: what enters the last layer spreads without normalization, and less with it", () => {
  const sides = sidesOf("shift");
  const before = { without: spreadOf(sides.without), with: spreadOf(sides.with) };
  for (const side of [sides.without, sides.with]) side.advance(150);
  const grown = { without: spreadOf(sides.without) / before.without, with: spreadOf(sides.with) / before.with };
  expect(grown.without).toBeGreaterThan(1.5);
  expect(grown.with).toBeLessThan(1.3);
});

test("a batch of 2: normalization hurts", () => {
  const { without, with: withIt } = after("two", 1000);
  expect(without.accuracy).toBeGreaterThan(withIt.accuracy + 0.2);
});

test("a batch of 256: normalization helps", () => {
  const { without, with: withIt } = after("usual", 25);
  expect(withIt.accuracy).toBeGreaterThan(0.85);
  expect(withIt.accuracy).toBeGreaterThan(without.accuracy + 0.1);
});

test("slow averages: wrong in evaluation mode, right in training mode", () => {
  const { with: side } = sidesOf("lag");
  expect(side.advance(150).accuracy).toBeLessThan(0.4);
  const answers = side.answers(HELD_OUT_DIGITS, false, true);
  const right = answers.filter((answer, i) => answer === file[TRAINING_DIGITS + i]).length;
  expect(right / HELD_OUT_DIGITS).toBeGreaterThan(0.8);
});
