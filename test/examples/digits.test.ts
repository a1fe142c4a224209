// The main job (examples/digits): the same trained bits on every backend, its data, options, report, and a short run.
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { backends } from "batchnorm";
import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { loadDigits } from "../../examples/digits/data.js";
import { percentiles } from "../../examples/digits/network/evaluate.js";
import { plainProducts } from "../../examples/digits/network/matrix.js";
import { first, split, type Digits } from "../../examples/digits/network/samples.js";
import { parseOptions, type Options } from "../../examples/digits/options.js";
import { OptionError } from "../../scripts/tools/command-line.js";
import { renderReport } from "../../examples/digits/report.js";
import { probe } from "../../examples/digits/summary.js";
import { train, type Result, type Training } from "../../examples/digits/train.js";
import { planTrainings } from "../../examples/digits/trainings.js";

const SHORT: Training = { steps: 30, batch: 60, rate: 0.1, seed: 1, activation: "sigmoid", normalized: true };
const found = backends();
let digits: Digits;

beforeAll(() => {
  const all = loadDigits(1);
  digits = { training: all.training, heldOut: first(all.heldOut, 100) };
});

describe("a short training gives the oracle's bits", () => {
  let expected: Result;
  beforeAll(() => {
    expected = train({ ...SHORT, backend: "oracle" }, digits);
  });

  for (const { name, status, reason } of found) {
    const works = status === "in use" || status === "available";
    it.skipIf(!works)(works ? name : `${name}: ${reason}`, () => {
      const result = train({ ...SHORT, backend: name }, digits);
      expect(result.hash).toBe(expected.hash);
      expect(result.points).toEqual(expected.points);
      expect(result.trap).toEqual(expected.trap);
    });
  }

  test("and another seed, or no normalization, gives others", () => {
    expect(train({ ...SHORT, seed: 2 }, digits).hash).not.toBe(expected.hash);
    expect(train({ ...SHORT, normalized: false }, digits).hash).not.toBe(expected.hash);
  });

  test("statistics of one digit give every digit the same answer", () => {
    expect(expected.trap?.batchOfOne).toMatchObject({ distinctAnswers: 1, distinctOutputs: 1 });
    expect(expected.trap?.running.accuracy).toBe(expected.points.at(-1)?.accuracy);
  });
});

describe("data", () => {
  test("the split is disjoint, whole, and the seed's own", () => {
    const { training, heldOut } = split(10_000, 2000, 1);
    expect([training.length, heldOut.length]).toEqual([8000, 2000]);
    expect(new Set([...training, ...heldOut]).size).toBe(10_000);
    expect(split(10_000, 2000, 1)).toEqual({ training, heldOut });
    expect(split(10_000, 2000, 2).heldOut).not.toEqual(heldOut);
  });

  test("every digit occurs, pixels in [0, 1]", () => {
    expect(new Set(digits.training.labels).size).toBe(10);
    expect(digits.training.images.every((pixel) => pixel >= 0 && pixel <= 1)).toBe(true);
  });
});

test("percentiles interpolate", () => {
  const fractions = [0, 0.15, 0.5, 0.85, 1];
  percentiles([4, 0, 1, 3, 2], fractions).forEach((value, i) => expect(value).toBeCloseTo(4 * fractions[i]!, 12));
  expect(percentiles([7], [0.15])).toEqual([7]);
  expect(percentiles([], [0.5])).toEqual([NaN]);
});

test.each([1, 3, 4, 9])("the three products, with %i inputs", (inputs) => {
  const size = { rows: 3, inputs, outputs: 2 };
  const x = Float32Array.from({ length: 3 * inputs }, (_, p) => (p % 3) - 1);
  const w = Float32Array.from({ length: inputs * 2 }, (_, p) => p + 1);
  const dy = Float32Array.from({ length: 6 }, (_, p) => 2 * p - 5);
  /** Σ over k of the products of two elements. */
  const sum = (count: number, term: (k: number) => number): number =>
    Array.from({ length: count }, (_, k) => term(k)).reduce((a, b) => a + b, 0);
  const computed = (length: number, compute: (result: Float32Array) => void): number[] => {
    const result = new Float32Array(length).fill(NaN);
    compute(result);
    return [...result];
  };
  expect(computed(6, (y) => plainProducts.forward(size, x, w, y))).toEqual(
    [0, 1, 2].flatMap((i) => [0, 1].map((j) => sum(inputs, (k) => x[i * inputs + k]! * w[k * 2 + j]!))),
  );
  expect(computed(3 * inputs, (dx) => plainProducts.gradInput(size, dy, w, dx))).toEqual(
    [...x].map((_, p) => sum(2, (j) => dy[Math.floor(p / inputs) * 2 + j]! * w[(p % inputs) * 2 + j]!)),
  );
  expect(computed(inputs * 2, (dw) => plainProducts.gradWeight(size, x, dy, dw))).toEqual(
    [...w].map((_, p) => sum(3, (i) => x[i * inputs + Math.floor(p / 2)]! * dy[i * 2 + (p % 2)]!)),
  );
});

describe("options", () => {
  const parse = (...args: string[]): Options | null => parseOptions(args, ["native", "wasm", "oracle"]);

  test("defaults, values and help", () => {
    expect(parse()).toEqual({
      steps: 4000,
      seed: 1,
      batch: 60,
      rate: 0.1,
      activation: "sigmoid",
      out: "report/index.html",
    });
    expect(parse("--steps", "5", "--backend", "wasm", "--rate=2e-2")).toMatchObject({
      steps: 5,
      backend: "wasm",
      rate: 0.02,
    });
    expect(parse("--help")).toBeNull();
  });

  test.each([
    [["--steps", "0"], '--steps must be an integer from 1 to 1000000, got "0"'],
    [["--steps", "1.5"], '--steps must be an integer from 1 to 1000000, got "1.5"'],
    [["--seed=-1"], '--seed must be an integer from 0 to 4294967295, got "-1"'],
    [["--batch", "1"], '--batch must be an integer from 2 to 8000, got "1"'],
    [["--rate", "fast"], '--rate must be a positive number, got "fast"'],
    [["--rate", "-1"], '--rate must be a positive number, got "-1"'],
    [["--steps", "-5"], '--steps must be an integer from 1 to 1000000, got "-5"'],
    [["--rte", "1"], "unknown option --rte: did you mean --rate?"],
    [["--activation", "gelu"], '--activation must be one of sigmoid, relu, tanh, got "gelu"'],
    [["--backend", "gpu"], '--backend must be one of native, wasm, oracle, got "gpu"'],
    [["--out", ""], "--out must name a file"],
  ])("%j", (args, message) => {
    expect(() => parse(...args)).toThrow(new OptionError(message));
  });

  test.each([[["--epochs", "3"]], [["12"]], [["--steps"]], [["--steps", "-5"]]])("%j: one line", (args) => {
    expect(() => parse(...args)).toThrow(OptionError);
    expect(() => parse(...args)).toThrow(/^[^\n]+$/);
  });
});

test("the report holds its pictures and hashes and loads nothing", () => {
  const options: Options = { steps: 4, seed: 1, batch: 60, rate: 1.1, activation: "relu", out: "<&>" };
  const results = planTrainings(options).map((training) => train(training, digits));
  expect(results.map(({ training }) => training.rate)).toEqual([1.1, 1.1, 11, 11]);
  const html = renderReport({
    command: "npm start -- <&>",
    options,
    ran: probe(undefined),
    results,
    versions: {},
    seconds: 1,
  });
  for (const { hash } of results) expect(html).toContain(hash);
  expect(html.match(/<svg /g)).toHaveLength(3);
  expect(html).toContain("npm start -- &#60;&#38;&#62;");
  expect(html).not.toMatch(/<script|<link|<img|@import|url\((?!#)|\bsrc=|xlink:href="(?!#)/);
});

describe("npm start", () => {
  const main = fileURLToPath(new URL("../../examples/digits/main.ts", import.meta.url));
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "digits-"));
  });
  afterAll(() => rm(folder, { recursive: true }));

  function run(...args: string[]): Promise<{ code: unknown; stdout: string; stderr: string }> {
    const all = ["--import", "tsx", main, "--out", join(folder, "sub", "report.html"), ...args];
    return new Promise((resolve) => {
      execFile(process.execPath, all, (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr }));
    });
  }

  test("five steps without a terminal", async () => {
    const { code, stdout, stderr } = await run("--steps", "5");
    expect(stderr).toContain("with batch norm, rate 1: step 5 of 5\n");
    expect(code).toBe(0);
    expect(`${stdout}${stderr}`).not.toContain("\u001b");
    const hashes = stdout.match(/\b[0-9a-f]{64}\b/g) ?? [];
    expect(new Set(hashes).size).toBe(4);
    const html = await readFile(join(folder, "sub", "report.html"), "utf8");
    for (const hash of hashes) expect(html).toContain(hash);
  }, 60_000);

  test("a bad option is one line and code 2", async () => {
    const stderr = '--batch must be an integer from 2 to 8000, got "1"\n';
    expect(await run("--batch", "1")).toEqual({ code: 2, stdout: "", stderr });
  }, 30_000);

  const missing = found.find(({ status }) => status === "unavailable");
  test.skipIf(!missing)(
    "a backend that is not here is one line with the reason and code 1",
    async () => {
      const { code, stderr } = await run("--backend", missing!.name);
      expect(code).toBe(1);
      expect(stderr).toContain(missing!.name);
      expect(stderr.trim()).not.toContain("\n");
    },
    30_000,
  );
});
