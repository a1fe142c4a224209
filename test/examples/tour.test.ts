// The tour (npm start): its settings, its rule, its options, its report, and short runs of the command.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { backends } from "batchnorm";
import { beforeAll, describe, expect, test } from "vitest";
import { claims } from "../../examples/digits/claims/index.js";
import { loadDigits } from "../../examples/digits/data.js";
import { first } from "../../examples/digits/network/samples.js";
import { parseOptions, type Options } from "../../examples/digits/options.js";
import { renderReport } from "../../examples/digits/report.js";
import { FIXED, settings } from "../../examples/digits/settings.js";
import { drawTable, probeBackend } from "../../examples/digits/summary.js";
import { findings, planTasks } from "../../examples/digits/tour.js";
import { train, type Result } from "../../examples/digits/train.js";
import { describe as describeOutcomes, judge, verdictOf, type Comparison } from "../../examples/digits/verdict.js";
import { OptionError } from "../../scripts/tools/command-line.js";
import { folderOfTests } from "../support/folders.js";

test("the settings are those that were fixed", () => {
  expect(createHash("sha256").update(JSON.stringify(settings)).digest("hex")).toBe(FIXED.sha256);
});

describe("the rule", () => {
  const numbers = (...values: number[]): Comparison["with"] => values.map((value) => ({ value, word: null }));
  const format = { digits: (value: number) => value.toFixed(1), unit: " s" };
  const line = (larger: number[], smaller: number[]): Comparison => {
    const sides = { without: numbers(...smaller), with: numbers(...larger) };
    return { name: "", ...sides, format, claimed: [{ larger: sides.with, smaller: sides.without }] };
  };
  // Standard deviations of 1 and 1: a difference of 2 does not count, and one above does.
  const yes = line([13, 14, 15], [10, 11, 12]);
  const unclear = line([12, 13, 14], [10, 11, 12]);
  const opposite = line([10, 11, 12], [13, 14, 15]);
  const shown = { ...yes, claimed: [] };

  test("a difference counts beyond the sum of the standard deviations", () => {
    expect([yes, unclear, opposite, shown].map(judge)).toEqual(["yes", "within the spread", "no, the opposite", null]);
    expect(judge(line([5], [1]))).toBe("one seed cannot say");
    expect(judge({ ...yes, claimed: [...yes.claimed, ...unclear.claimed] })).toBe("within the spread");
  });

  test("a claim held, held in part, or not", () => {
    expect(verdictOf([yes, shown])).toBe("yes");
    expect(verdictOf([yes, opposite])).toBe("in part");
    expect(verdictOf([unclear, opposite])).toBe("no");
    expect(verdictOf([line([5], [1])])).toBe("one seed cannot say");
  });

  test("words stand for numbers that mean nothing", () => {
    const outcomes = [...numbers(1, 2), { value: 0.1, word: "diverged" }];
    expect(describeOutcomes(outcomes, format)).toBe("1.5 ± 0.7 s, 1× diverged");
    expect(describeOutcomes(outcomes.slice(2), format)).toBe("diverged");
    expect(describeOutcomes(numbers(3), format)).toBe("3.0 s");
  });
});

describe("options", () => {
  const parse = (...args: string[]): Options | null => parseOptions(args, ["native", "wasm", "oracle"]);

  test("defaults, values and help", () => {
    expect(parse()).toEqual({ claims, seeds: [1, 2, 3], out: "report/index.html", parallel: null });
    const given = parse("--only", "rate,speed", "--seeds", "2", "--seed=7", "--backend", "wasm");
    expect(given).toMatchObject({ seeds: [7, 8], backend: "wasm" });
    expect(given?.claims.map(({ name }) => name)).toEqual(["speed", "rate"]);
    const own = parse("--only", "train", "--rate=2e-2", "--std", "5", "--steps", "7")?.claims[0]?.plans[0]?.setting;
    expect(own).toMatchObject({ rate: 0.02, initialStd: 5, steps: 7, batch: 60, activation: "sigmoid", look: 1 });
    expect(parse("--help")).toBeNull();
  });

  test.each([
    [["--only", "rates"], /^--only must be of mini-batch, shift, .*, train, got "rates"$/],
    [["--seeds", "0"], '--seeds must be an integer from 1 to 10, got "0"'],
    [["--seed=-1"], '--seed must be an integer from 0 to 4294967285, got "-1"'],
    [["--rate", "1"], "--rate needs --only train: a claim's settings are fixed"],
    [["--only", "train", "--batch", "1"], '--batch must be an integer from 2 to 8000, got "1"'],
    [["--only", "train", "--rate", "fast"], '--rate must be a positive number, got "fast"'],
    [["--only", "train", "--std", "0"], '--std must be a positive number, got "0"'],
    [["--only", "train", "--activation", "gelu"], '--activation must be one of sigmoid, relu, tanh, got "gelu"'],
    [["--ony", "rate"], "unknown option --ony: did you mean --only?"],
    [["--backend", "gpu"], '--backend must be one of native, wasm, oracle, got "gpu"'],
    [["--out", ""], "--out must name a file"],
    [["12"], /^[^\n]+$/],
  ])("%j", (args, message) => {
    expect(() => parse(...args)).toThrow(OptionError);
    expect(() => parse(...args)).toThrow(message);
  });
});

describe("the report", () => {
  const seeds = [1, 2];
  /** Every training of the tour, with what one of a few steps gave in its place. */
  let results: Result[];
  let ofDiverged: Result[];

  beforeAll(() => {
    const all = loadDigits(1);
    const digits = { training: first(all.training, 2000), heldOut: first(all.heldOut, 20) };
    const setting = { ...settings.regularization, steps: 4, look: 2 };
    const [without, normalized] = [false, true].map((each) =>
      train({ ...setting, seed: 1, normalized: each }, digits, ["gradients", "algorithm", "trap"]),
    );
    results = planTasks(claims, seeds).map(({ training }) => ({
      ...(training.normalized ? normalized! : without!),
      training,
    }));
    ofDiverged = results.map((result) => ({ ...result, diverged: 2, points: result.points.slice(0, 1), probed: {} }));
  });

  const render = (of: readonly Result[]): string =>
    renderReport({
      command: "npm start -- <&>",
      seeds,
      ran: probeBackend(undefined),
      results: of,
      findings: findings(claims, of),
      versions: {},
      seconds: 1,
    });

  test("has a section and a picture or a table for every claim, and loads nothing", () => {
    const html = render(results);
    for (const { name, did } of claims) {
      expect(html).toContain(`<h2 id="${name}">`);
      expect(html).toContain(did.replaceAll("&", "&#38;"));
    }
    expect(html.match(/<svg /g)).toHaveLength(8);
    expect(html).toContain(results[0]!.hash);
    expect(html).toContain("npm start -- &#60;&#38;&#62;");
    expect(html).not.toMatch(/NaN|undefined|Infinity/);
    expect(html).not.toMatch(/<script|<link|<img|@import|url\((?!#)|\bsrc=|xlink:href="(?!#)/);
  });

  test("says diverged where networks did, and gives no number", () => {
    const html = render(ofDiverged);
    expect(html).toContain("2× diverged");
    expect(html).not.toMatch(/NaN|undefined|Infinity/);
    const table = drawTable(findings(claims, ofDiverged), 100);
    expect(table).not.toMatch(/NaN|undefined|Infinity| ± /);
  });

  test("every training stands once, with the probes of all claims that share it", () => {
    const keys = planTasks(claims, seeds).map(({ training }) => JSON.stringify(training));
    expect(new Set(keys).size).toBe(keys.length);
    const shared = planTasks(claims, [1]).find(({ probes }) => probes.length > 0);
    expect(shared?.probes).toEqual(["gradients", "algorithm", "trap"]);
  });
});

describe("npm start", () => {
  const main = fileURLToPath(new URL("../../examples/digits/main.ts", import.meta.url));
  const folder = folderOfTests();

  function run(...args: string[]): Promise<{ code: unknown; stdout: string; stderr: string }> {
    const all = ["--import", "tsx", main, "--out", join(folder, "sub", "report.html"), ...args];
    return new Promise((resolve) => {
      execFile(process.execPath, all, (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr }));
    });
  }

  test("a short training of one's own, without a terminal", async () => {
    const { code, stdout, stderr } = await run("--only", "train", "--steps", "5", "--seeds", "2");
    expect(stderr).toContain("100 % done\n");
    expect(code).toBe(0);
    expect(`${stdout}${stderr}`).not.toContain("\u001b");
    expect(stdout).toMatch(/^4 trainings, \d+ at a time: about \d+ s/m);
    expect(stdout).toMatch(/\d s\. Report: .*report\.html\n$/);
    const html = await readFile(join(folder, "sub", "report.html"), "utf8");
    expect(new Set(html.match(/\b[0-9a-f]{64}\b/g)).size).toBe(5);
  });

  test("a bad option is one line and code 2", async () => {
    const stderr = '--seeds must be an integer from 1 to 10, got "many"\n';
    expect(await run("--seeds", "many")).toEqual({ code: 2, stdout: "", stderr });
  });

  const missing = backends().find(({ status }) => status === "unavailable");
  test.skipIf(!missing)("a backend that is not here is one line with the reason and code 1", async () => {
    const { code, stderr } = await run("--backend", missing!.name);
    expect(code).toBe(1);
    expect(stderr).toContain(missing!.name);
    expect(stderr.trim()).not.toContain("\n");
  });
});
