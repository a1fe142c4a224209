// The fuzzer and the soak: what they draw, that they find what is wrong, and some cases of each run of the tests.
import { describe, expect, test } from "vitest";
import { DTYPES } from "../../src/base/types.js";
import { KINDS } from "../../src/verify/data.js";
import { isExhaustive, seed as runSeed } from "../support/sample.js";
import { grows, thirdsOf } from "../support/levels.js";
import { compareCase, contenders, firstDifferenceOf } from "./compare.js";
import { FORMS, MODES, PLACES, SHAPES, WEIGHTINGS, drawCase } from "./draw.js";
import { parseOptions } from "./options.js";
import { play } from "./play.js";
import type { Entry } from "./recorder.js";

const SEEDS = Array.from({ length: 1500 }, (_, i) => i);

describe("a case", () => {
  test("is the same for the same seed", () => {
    for (const seed of [0, 1, 2 ** 31 - 2]) expect(drawCase(seed)).toEqual(drawCase(seed));
    expect(play(drawCase(7), "oracle")).toEqual(play(drawCase(7), "oracle"));
  });

  test("may have any choice of everything", () => {
    const cases = SEEDS.map((seed) => drawCase(seed));
    const seen = (value: (one: (typeof cases)[number]) => unknown): unknown[] => [...new Set(cases.map(value))];
    expect(seen(({ dtype }) => dtype).sort()).toEqual([...DTYPES].sort());
    expect(seen(({ activationKind }) => activationKind)).toHaveLength(6);
    expect(seen(({ kind }) => kind).sort()).toEqual([...KINDS].sort());
    expect(seen(({ form }) => form).sort()).toEqual([...FORMS].sort());
    expect(seen(({ mode }) => mode).sort()).toEqual([...MODES].sort());
    expect(seen(({ place }) => place).sort()).toEqual([...PLACES].sort());
    expect(seen(({ weighting }) => weighting).sort()).toEqual([...WEIGHTINGS].sort());
    expect(seen(({ shapeKind }) => shapeKind).sort()).toEqual([...SHAPES].sort());
    expect(seen(({ traversal }) => traversal)).toHaveLength(3);
    const apart = ({ where: { axis } }: (typeof cases)[number]): boolean =>
      Array.isArray(axis) && axis.some((each: number, i) => i > 0 && each !== (axis[i - 1] as number) + 1);
    expect(seen(apart)).toHaveLength(2);
    expect(seen(({ conditional }) => conditional.join())).toHaveLength(4);
    expect(seen(({ shape }) => shape.length).sort()).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(seen(({ where }) => where.layout ?? typeof where.axis)).toHaveLength(6);
    for (const name of [
      "activation",
      "residual",
      "fromOutput",
      "holdsY",
      "reuse",
      "accumulate",
      "doubleBackward",
    ] as const)
      expect(seen((one) => one[name]).length, name).toBe(2);
    expect(cases.some(({ shape }) => shape.includes(0))).toBe(true);
  });
});

describe("the comparison", () => {
  const entry = (value: Entry["value"], name = "output"): Entry => ({ name, dtype: "float32", value });
  const right = [entry(Float32Array.of(1, 0, NaN)), entry("ERR_BATCHNORM_VALUE: no", "backward")];

  test.each([
    ["a wrong bit", [entry(Float32Array.of(1, -0, NaN)), right[1]!], /^output\[1\] expected 0, got 0$/],
    [
      "another error",
      [right[0]!, entry("ERR_BATCHNORM_TYPE: no", "backward")],
      /^backward: ERR_BATCHNORM_TYPE: no where/,
    ],
    ["a result for an error", [right[0]!, entry(Float32Array.of(1), "backward")], /^backward: 1 elements where/],
    ["a result less", [right[0]!], /^nothing where the oracle has backward \(ERR_BATCHNORM_VALUE: no\)$/],
    ["a result more", [...right, entry("", "memory")], /^memory where the oracle has nothing$/],
  ])("finds %s", (_, got, difference) => {
    expect(firstDifferenceOf(right, right)).toBeNull();
    expect(firstDifferenceOf(right, got)).toMatch(difference);
  });

  test("names the backend that differs, and no other", () => {
    const [first, second] = ["native/sse2", "wasm"] as const;
    const others = [first, second].map((name) => ({ name, lacks: [] }));
    const one = drawCase(SEEDS.find((seed) => compareCase(drawCase(seed), []).isAccepted)!);
    const { faults, runs } = compareCase(one, others, (given, name) => {
      const entries = play(given, "oracle");
      return name === first ? entries : entries.slice(1);
    });
    expect(runs).toBe(2);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(/^wasm: /);
  });
});

test("cases of this run are equal on every backend", () => {
  const count = isExhaustive ? 200 : 60;
  console.log(`fuzz: ${count} cases from seed ${runSeed}`);
  const others = contenders();
  const results = Array.from({ length: count }, (_, i) => ({
    seed: runSeed + i,
    ...compareCase(drawCase(runSeed + i), others),
  }));
  expect(results.filter(({ faults }) => faults.length > 0)).toEqual([]);
  expect(results.filter(({ isAccepted }) => isAccepted).length).toBeGreaterThan(0.6 * count);
});

describe("options", () => {
  test("defaults and values", () => {
    expect(parseOptions(["--seconds", "5", "--seed=9", "--async", "7"])).toEqual({ seconds: 5, seed: 9, async: 7 });
    expect(parseOptions([])!.seconds).toBe(60);
    expect(parseOptions(["--help"])).toBeNull();
  });

  test.each([
    [["--seconds", "-1"], '--seconds must be an integer from 1 to 86400, got "-1"'],
    [["--seed", "x"], '--seed must be an integer from 0 to 2147483647, got "x"'],
    [["--async", "101"], '--async must be an integer from 0 to 100, got "101"'],
    [["--sed", "1"], "unknown option --sed: did you mean --seed?"],
  ])("%j", (args, message) => {
    expect(() => parseOptions(args)).toThrow(message);
  });
});

describe("memory levels off", () => {
  const rounds = (of: (i: number) => number): readonly [number, number, number] =>
    thirdsOf(Array.from({ length: 60 }, (_, i) => of(i)));

  test("if it stays, comes and goes, or grows in the first third alone", () => {
    for (const flat of [rounds(() => 100), rounds((i) => 100 + 20 * (i % 2)), rounds((i) => 100 + Math.min(i, 19))])
      expect(grows(flat, 24)).toBe(false);
  });

  test("but not if something is kept of every round", () => {
    expect(
      grows(
        rounds((i) => 100 + 1.3 * i),
        24,
      ),
    ).toBe(true);
    expect(
      grows(
        rounds((i) => 100 + 1.3 * i + 10 * (i % 2)),
        24,
      ),
    ).toBe(true);
  });
});
