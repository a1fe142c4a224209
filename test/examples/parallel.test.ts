// The digits on several ranks: every group gives the bits of one process that takes the turns of all ranks.
import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { loadDigits } from "../../examples/digits/data.js";
import { parseOptions } from "../../examples/digits/options.js";
import type { RankResult } from "../../examples/digits/parallel/rank.js";
import { trainRank } from "../../examples/digits/parallel/rank.js";
import { ranksInTurns } from "../../examples/digits/parallel/turns.js";
import { settings } from "../../examples/digits/settings.js";
import { train } from "../../examples/digits/train.js";
import type { Training } from "../../examples/digits/training.js";
import { OptionError } from "../../scripts/tools/command-line.js";
import { buildAddon, MPIS } from "../mpi/installed.js";
import { root } from "../support/package-copy.js";

const STEPS = 12;
const OPTIONS = ["--steps", `${STEPS}`, "--batch", "30", "--activation", "relu"];

function start(
  args: readonly string[],
  launcher: readonly string[] = [],
  env: Record<string, string> = {},
): RankResult {
  const words = [
    ...launcher,
    process.execPath,
    "--import",
    "tsx",
    "examples/digits/main.ts",
    ...args,
    "--json",
    ...OPTIONS,
  ];
  const { status, stdout, stderr } = spawnSync(words[0]!, words.slice(1), {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, NODE_OPTIONS: "", ...env },
  });
  if (status !== 0) throw new Error(`status ${status}\n${stdout}${stderr}`);
  return JSON.parse(stdout) as RankResult;
}

test.each([1, 2, 3])("%i worker threads end as one process does", (ranks) => {
  const one = start(["--group", "one", "--ranks", `${ranks}`]);
  const workers = start(["--group", "workers", "--ranks", `${ranks}`]);
  expect(workers.hash).toBe(one.hash);
  expect(workers).toMatchObject({ ranks, accuracy: one.accuracy });
});

describe("one rank", () => {
  const training: Training = { ...settings.trap, steps: STEPS, batch: 30, seed: 1, normalized: true };
  const digits = loadDigits(1);

  test("is the plain training, to the bit", async () => {
    const { hash } = await trainRank(training, digits, ranksInTurns(1)[0]!);
    expect(hash).toBe(train(training, digits).hash);
  });

  test("and a mini-batch in three parts nearly so", async () => {
    const results = await Promise.all(ranksInTurns(3).map((group) => trainRank(training, digits, group)));
    expect(new Set(results.map(({ hash }) => hash)).size).toBe(1);
    const { points } = train(training, digits);
    expect(results[0]!.accuracy).toBeCloseTo(points.at(-1)!.accuracy, 1);
  });

  test("more ranks than digits are refused", async () => {
    const few = { ...training, batch: 2 };
    await expect(trainRank(few, digits, ranksInTurns(3)[0]!)).rejects.toThrow("mini-batches of at least 3 digits");
  });
});

for (const mpi of MPIS) {
  test.skipIf(mpi.missing !== null)(
    `3 ranks of ${mpi.name} end as one process does${mpi.missing ? `: ${mpi.missing}` : ""}`,
    () => {
      const launcher = [mpi.launcher, ...mpi.flags, "-n", "3"];
      const result = start(["--group", "mpi"], launcher, { BATCHNORM_MPI: buildAddon(mpi) });
      expect(result.hash).toBe(start(["--group", "one", "--ranks", "3"]).hash);
      expect(result.ranks).toBe(3);
    },
  );

  test.skipIf(mpi.missing !== null)(`npm start under the launcher of ${mpi.name}`, () => {
    // MPICH talks to a rank through a file that npm does not pass on.
    const through = mpi.name === "MPICH" ? ["-pmi-port"] : [];
    const args = [
      ...mpi.flags,
      ...through,
      "-n",
      "2",
      "npm",
      "start",
      "--silent",
      "--",
      "--group",
      "mpi",
      "--json",
      ...OPTIONS,
    ];
    const { status, stdout, stderr } = spawnSync(mpi.launcher, args, {
      cwd: root,
      encoding: "utf8",
      env: { ...process.env, NODE_OPTIONS: "", BATCHNORM_MPI: buildAddon(mpi) },
    });
    expect({ status, stderr }).toMatchObject({ status: 0 });
    expect(JSON.parse(stdout)).toMatchObject({ ranks: 2, hash: start(["--group", "one", "--ranks", "2"]).hash });
  });
}

describe("options", () => {
  const parse = (...args: string[]): unknown => parseOptions(args, ["oracle"]);

  test.each([
    [["--ranks", "2"], "--ranks and --json need --group"],
    [["--group", "two"], '--group must be one of one, workers, mpi, got "two"'],
    [["--group", "one", "--ranks", "0"], '--ranks must be an integer from 1 to 64, got "0"'],
    [["--group", "one", "--only", "train"], "--only and --group exclude each other"],
    [["--group", "one", "--seeds", "2"], "--seeds and --group exclude each other"],
    [["--group", "one", "--out", "x"], "--out and --group exclude each other"],
  ])("%j is refused", (args, message) => {
    expect(() => parse(...args)).toThrow(new OptionError(message));
  });

  test("the training's own are those of --only train", () => {
    expect(
      parse("--group", "workers", "--steps", "5", "--rate", "0.5", "--backend", "oracle", "--seed", "3"),
    ).toMatchObject({
      claims: [],
      parallel: {
        group: "workers",
        ranks: null,
        json: false,
        training: { steps: 5, rate: 0.5, batch: 60, seed: 3, normalized: true, backend: "oracle" },
      },
    });
    expect(parse("--steps", "5", "--only", "train")).toMatchObject({ parallel: null });
  });
});
