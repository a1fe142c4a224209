// The study's report from a few points: what is there is told in numbers, and what is not is called not yet run.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { OptionError } from "../../scripts/tools/command-line.js";
import { EXPERIMENTS, experimentsOf } from "../../study/experiments/experiments.js";
import { hashOf, idOf, keyOf, planOf, type Planned } from "../../study/experiments/plan.js";
import { FULL, QUICK } from "../../study/experiments/sizes.js";
import { parseOptions } from "../../study/options.js";
import { cell, compared, Groups } from "../../study/report/groups.js";
import { shownIn, writeReport } from "../../study/report/report.js";
import { inOrder } from "../../study/schedule.js";
import { Store } from "../../study/store.js";
import type { Point } from "../../study/training/point.js";
import { folderOfTests } from "../support/folders.js";

/** A point that says what it is told to. */
function point(planned: Planned, accuracy: number): Point {
  const { settings, seed } = planned;
  const steps = [1000, 2000, 3000];
  const curve = { steps, accuracy: [accuracy - 0.1, accuracy - 0.05, accuracy] };
  const rest = {
    versions: { batchnorm: "1.2.3" },
    backend: "native/test",
    date: "2026-12-24",
    hash: "",
    seconds: 1,
    shortestStep: 1,
  };
  return {
    id: idOf(planned),
    key: keyOf(planned),
    settings,
    seed,
    steps: 3000,
    diverged: false,
    accuracy,
    curve,
    ...rest,
  };
}

const plan = planOf(experimentsOf(FULL), FULL.seeds);
/** Of the speed experiment with ReLU: without 91 to 95 %, with 97.1 to 97.5 %. */
const points = new Map(
  plan
    .filter(({ experiment, label }) => experiment === "speed" && label.startsWith("relu"))
    .map((planned) => {
      const accuracy = planned.label.endsWith("without") ? 0.9 + planned.seed / 100 : 0.97 + planned.seed / 1000;
      return [idOf(planned), point(planned, accuracy)];
    }),
);

describe("groups", () => {
  const groups = new Groups(points, FULL);

  test("have the mean and the deviation over the seeds", () => {
    expect(cell(groups.of("speed", "relu, without"))).toBe("93.0 ± 1.6");
    expect(cell(groups.of("speed", "sigmoid, with"))).toBe("not yet run");
  });

  test("say how they stand to one another, beside their spread", () => {
    const [without, normalized] = [groups.of("speed", "relu, without"), groups.of("speed", "relu, with")];
    expect(compared(normalized, without)).toBe("4.30 points higher");
    expect(compared(without, without)).toMatch(/within twice the spread over seeds/);
  });

  test("leave out points of other settings", () => {
    const [id, first] = [...points][0]!;
    const stale = new Groups(new Map([[id, { ...first, key: "another" }]]), FULL);
    expect(stale.of("speed", "relu, without").points).toEqual([]);
  });

  test("are compared by two measures of their own", () => {
    const group = groups.of("speed", "relu, without");
    expect(
      compared(
        group,
        group,
        () => 5,
        () => 3,
      ),
    ).toBe("2.00 points higher");
  });

  test("name what diverged and what is missing", () => {
    const [[id, first], ...others] = [...points].filter(([name]) => name.includes("without")) as [
      [string, Point],
      ...[string, Point][],
    ];
    const some = new Groups(new Map([[id, { ...first, diverged: true }], ...others.slice(0, 2)]), FULL);
    expect(cell(some.of("speed", "relu, without"))).toBe("92.0 ± 1.0, diverged 1 of 3 (3 of 5 seeds)");
  });
});

describe("the report", () => {
  const folder = folderOfTests();
  let markdown: string;
  beforeAll(() => {
    writeReport(folder, points, FULL);
    markdown = readFileSync(join(folder, "results.md"), "utf8");
  });

  test("tells the steps to an accuracy by the numbers", () => {
    // Without: 90 % is reached at 3000, 3000, 3000, 3000 (0.94) and 2000 (0.95) steps; with: always at 2000.
    expect(markdown).toMatch(
      /ReLU: 90 % took 2000 steps with normalization and 2800 without, 1\.4 times as many steps/,
    );
    expect(markdown).toMatch(/97 % were reached after 3000 steps, without it never/);
    expect(markdown).toMatch(/\| ReLU \| with \| 2000 ± 0 \|/);
  });

  test("says of every other experiment that it was not run", () => {
    expect(markdown).toMatch(/\| rates \| 24 \| \d+ \| 0 of 120 \|/);
    expect(markdown.match(/Not yet run: /g)!.length).toBeGreaterThan(15);
    expect(markdown.replaceAll("infinite or NaN", "")).not.toMatch(/NaN|undefined|Infinity/);
  });

  test("names versions, backend, date and the hash of the plan", () => {
    for (const fact of ["batchnorm 1.2.3", "native/test", "2026-12-24", hashOf(plan)]) expect(markdown).toContain(fact);
  });

  test("has every picture that it links to, on white", () => {
    const links = [...markdown.matchAll(/\]\((pictures\/.*?\.svg)\)/g)].map(([, link]) => link!);
    expect(links.length).toBeGreaterThan(8);
    for (const link of links) expect(existsSync(join(folder, link)), link).toBe(true);
    expect(readFileSync(join(folder, "pictures/speed.svg"), "utf8")).toMatch(/<rect[^>]*fill="#fff"/);
  });
});

describe("the plan", () => {
  test("has no point twice, and the first seed of everything before the second", () => {
    expect(new Set(plan.map(idOf)).size).toBe(plan.length);
    const seeds = inOrder(plan).map(({ seed }) => seed);
    expect(seeds).toEqual([...seeds].sort((a, b) => a - b));
  });

  test("in full has the paper's and the lesson's 50 000 steps, and five seeds of the rest", () => {
    const steps = (name: string): number[] =>
      plan.filter(({ experiment }) => experiment === name).map(({ settings }) => settings.steps);
    expect(new Set([...steps("figure1"), ...steps("lesson")])).toEqual(new Set([50_000]));
    expect(
      plan.filter(({ experiment, label }) => experiment === "rates" && label === "relu, rate 1, with"),
    ).toHaveLength(5);
  });
});

test("every point of the plan is among the committed results, with its settings of today", () => {
  expect(new Store("study/results").missing(plan).map(idOf)).toEqual([]);
});

describe("options", () => {
  test("have defaults", () => {
    expect(parseOptions([])).toMatchObject({ size: FULL, only: EXPERIMENTS, out: "study", reportOnly: false });
    expect(parseOptions(["--quick"])).toMatchObject({ size: QUICK, out: "report/study-quick" });
    expect(parseOptions(["--help"])).toBeNull();
  });

  test("choose experiments, seeds and workers", () => {
    expect(parseOptions(["--only", "rates,shift", "--seeds", "2", "--workers", "3"])).toMatchObject({
      size: { ...FULL, seeds: 2 },
      only: ["rates", "shift"],
      workers: 3,
    });
  });

  test.each([
    [["--only", "rate"], /--only must be of figure1, .* got "rate"/],
    [["--seeds", "0"], /--seeds must be an integer from 1 to 100, got "0"/],
    [["--workers", "x"], /--workers must be an integer/],
    [["--out", ""], /--out must name a folder/],
  ])("refuses %j", (args, message) => {
    expect(() => parseOptions(args)).toThrow(message);
    expect(() => parseOptions(args)).toThrow(OptionError);
  });
});

test("the pictures of docs/ are those of the committed results", () => {
  for (const [from, to] of shownIn("study", "docs"))
    expect(readFileSync(to, "utf8"), to).toBe(readFileSync(from, "utf8"));
});
