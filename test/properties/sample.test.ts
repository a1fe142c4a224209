// Samples of exhaustive tests: the seed alone decides them, and no kind is left out.
import { describe, expect, test } from "vitest";
import { cases } from "../../src/verify/cases.js";
import { random } from "../../src/verify/data.js";
import { chosenOf, isExhaustive, sample, seed } from "../support/sample.js";

const SEEDS = Array.from({ length: 50 }, (_, i) => i);
const all = Array.from({ length: 100 }, (_, i) => i);
const draw = (seed: number, size = 20, kindsOf: (i: number) => string[] = () => []): Set<number> =>
  chosenOf(all, size, kindsOf, random(seed));

describe("a sample", () => {
  test("is the same for the same seed, and another for another", () => {
    for (const one of SEEDS) expect(draw(one)).toEqual(draw(one));
    const different = new Set(SEEDS.map((one) => [...draw(one)].sort().join()));
    expect(different.size).toBe(SEEDS.length);
  });

  test("leaves out nothing for ever", () => {
    const drawn = new Set(SEEDS.flatMap((one) => [...draw(one)]));
    expect(drawn.size).toBe(all.length);
  });

  test("has every kind in it, the rare ones too, and its size", () => {
    const kindsOf = (i: number): string[] => [i === 99 ? "rare" : "common", `last digit ${i % 10}`];
    for (const one of SEEDS) {
      const chosen = draw(one, 20, kindsOf);
      expect(chosen.size).toBe(20);
      expect(chosen.has(99)).toBe(true);
      expect(new Set([...chosen].map((i) => i % 10)).size).toBe(10);
    }
  });

  test("grows where there are more kinds than it is large", () => {
    expect(draw(1, 3, (i) => [`${i % 30}`]).size).toBe(30);
  });

  test("is everything where it is as large", () => {
    expect(draw(1, 200).size).toBe(100);
  });
});

test("a run has one seed, and its sample keeps the order of the cases", () => {
  expect(Number.isInteger(seed)).toBe(true);
  const some = sample("a sample of cases", cases, 50);
  expect(some.length).toBe(isExhaustive ? cases.length : 50);
  expect([...some].sort((a, b) => a.index - b.index)).toEqual(some);
});
