// The page's settings in its address, its claims, and its words.
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ACTIVATIONS } from "../../examples/digits/network/activations.js";
import { nextPoint } from "../../site/lab/conductor.js";
import { presetOf, presets } from "../../site/lab/presets.js";
import {
  DEFAULTS,
  needsNewNetwork,
  readAddress,
  readSeed,
  STOPS,
  writeAddress,
  type Settings,
} from "../../site/lab/settings.js";
import { focusOf, languageOf, othersOf } from "../../site/view/places.js";
import { en, type Words } from "../../site/words/en.js";
import { ko } from "../../site/words/ko.js";

const settings: fc.Arbitrary<Settings> = fc.record({
  rate: fc.constantFrom(...STOPS.rate, 0.123),
  sigma: fc.constantFrom(...STOPS.sigma, 0.3),
  batch: fc.integer({ min: 2, max: 1024 }),
  momentum: fc.double({ min: 0, max: 1, noNaN: true }).map((value) => value + 0),
  depth: fc.integer({ min: 1, max: 8 }),
  digits: fc.integer({ min: 20, max: 4000 }),
  seed: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  activation: fc.constantFrom(...ACTIVATIONS),
});

describe("the address", () => {
  test("every state comes back from its own", () => {
    const steps = fc.option(fc.integer({ min: 0, max: 99_999 }), { nil: null });
    fc.assert(
      fc.property(settings, steps, fc.constantFrom("en", "ko"), (given, at, lang) => {
        const read = readAddress(writeAddress(given, at, { lang, layer: "2" }));
        expect(read).toEqual({ settings: given, at, others: { lang, layer: "2" }, rejected: [] });
      }),
    );
  });

  test("the defaults are not in it", () => {
    expect(writeAddress(DEFAULTS, null, {})).toBe("#");
    expect(readAddress("")).toEqual({ settings: DEFAULTS, at: null, others: {}, rejected: [] });
  });

  test.each(["rate=0", "rate=-1", "rate=x", "rate=", "rate=1e9", "batch=1", "batch=2.5", "depth=9", "activation=gelu"])(
    "%s is named and has its default",
    (part) => {
      expect(readAddress(`#${part}&seed=7`)).toMatchObject({ settings: { ...DEFAULTS, seed: 7 }, rejected: [part] });
    },
  );

  test.each(["at=-1", "at=1.5", "at=1000000", "colour=red", "constructor=1", "__proto__=1"])("%s is named", (part) => {
    expect(readAddress(`#${part}`)).toEqual({ settings: DEFAULTS, at: null, others: {}, rejected: [part] });
  });

  test("a seed is a whole number of 32 bits", () => {
    expect(["0", "4294967295", "4294967296", "-1", "1.5", ""].map(readSeed)).toEqual([
      0,
      4294967295,
      null,
      null,
      null,
      null,
    ]);
  });

  test("layer, unit and language are kept within what there is", () => {
    expect(focusOf(undefined, undefined, 3)).toEqual({ layer: 2, unit: 0 });
    expect(focusOf("9", "1000", 3)).toEqual({ layer: 2, unit: 99 });
    expect(focusOf("x", "0", 3)).toEqual({ layer: 2, unit: 0 });
    expect(othersOf("ko", { layer: 0, unit: 4 }, 3)).toEqual({ lang: "ko", layer: "1", unit: "5" });
    expect(othersOf("en", { layer: 2, unit: 0 }, 3)).toEqual({ lang: "en" });
    expect(["ko-KR", "ko", "en-GB", "fr"].map(languageOf)).toEqual(["ko", "ko", "en", "en"]);
  });
});

test("only what makes a network begins again", () => {
  const changed = (change: Partial<Settings>): boolean => needsNewNetwork(DEFAULTS, { ...DEFAULTS, ...change });
  expect([{ rate: 1 }, { batch: 2 }, { momentum: 1 }, {}].map(changed)).toEqual([false, false, false, false]);
  const others = [{ sigma: 1 }, { depth: 1 }, { digits: 100 }, { seed: 2 }, { activation: "relu" as const }];
  expect(others.map(changed)).toEqual([true, true, true, true, true]);
});

test("each claim has settings of its own, and is known by them with any seed", () => {
  for (const { name, settings: own } of presets) {
    expect(presetOf({ ...own, seed: 99 })).toBe(name);
    expect(readAddress(writeAddress(own, null, {}))).toMatchObject({ settings: own, rejected: [] });
  }
  expect(presetOf({ ...DEFAULTS, rate: 0.7 })).toBeNull();
});

test("points of the curves are at the same steps however they are reached", () => {
  expect(nextPoint(0, DEFAULTS)).toBe(1);
  expect([1, 4, 5, 99, 100, 149].map((step) => nextPoint(step, DEFAULTS))).toEqual([5, 5, 10, 100, 125, 150]);
  expect(nextPoint(7, { ...DEFAULTS, batch: 1024, digits: 100 })).toBe(9);
  expect([1, 2999, 3000].map((step) => nextPoint(step, { ...DEFAULTS, batch: 2 }))).toEqual([50, 3000, 3750]);
});

describe("words", () => {
  const html = readFileSync(new URL("../../site/index.html", import.meta.url), "utf8");

  test.each([
    ["en", en],
    ["ko", ko],
  ] as [string, Words][])("%s has a text for every place of the page", (_, words) => {
    const texts = new Map<string, unknown>(Object.entries(words));
    const keys = [...html.matchAll(/data-(?:word|label)="(\w+)"/g)].map(([, key]) => key!);
    expect(keys.length).toBeGreaterThan(40);
    // Claims are a label and a heading; each other key is a text.
    for (const key of keys) expect(texts.get(key), key).toBeTypeOf("string");
  });

  test("no text is the same in both, and Korean has the field's terms", () => {
    const same = Object.entries(en).filter(
      ([key, text]) => typeof text === "string" && text === Object.entries(ko).find(([name]) => name === key)?.[1],
    );
    expect(same).toEqual([]);
    const all = JSON.stringify(ko);
    for (const term of ["배치 정규화", "내부 공변량 변화", "이동 평균", "학습률", "미니배치"])
      expect(all).toContain(term);
  });
});
