// batchnorm/mpi under the launchers of Open MPI and MPICH: gathers, what ranks are told of a fault, and what no JavaScript can
// do to the addon.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { cli } from "../support/cli.js";
import { root } from "../support/package-copy.js";
import { buildAddon, bundleProgram, launch, MPIS, scratchFolder, type Launched } from "./installed.js";

interface Gathers {
  readonly size: number;
  readonly library: string;
  readonly found: readonly string[];
}

interface Equality {
  readonly size: number;
  readonly found: readonly string[];
}

interface Told {
  readonly name: string;
  readonly message: string;
  readonly code: string;
  readonly ranks: readonly number[];
  readonly call: string;
  readonly again: Told;
  readonly done: number;
  /** How long the failed gather took, in milliseconds. */
  readonly waited: number;
}

const isExhaustive = process.env["BATCHNORM_EXHAUSTIVE"] !== undefined;
const RANKS = isExhaustive ? [1, 2, 3, 4, 7] : [1, 3, 7];
/** How often a rank is killed. A round takes about five seconds. */
const KILLS = isExhaustive ? 8 : 2;

const addons = new Map<string, string>();
const programs = new Map<string, string>();

beforeAll(() => {
  for (const name of ["gathers", "equality", "fault", "hostile"]) programs.set(name, bundleProgram(name));
});

for (const mpi of MPIS) {
  describe.skipIf(mpi.missing !== null)(mpi.missing === null ? mpi.name : `${mpi.name}: ${mpi.missing}`, () => {
    beforeAll(() => {
      addons.set(mpi.name, buildAddon(mpi));
    });
    const run = <T>(
      program: string,
      ranks: number,
      args: (string | number)[] = [],
      flags: readonly string[] = [],
      timeoutMs = 60_000,
    ): Promise<Launched<T>> =>
      launch<T>({ mpi, addon: addons.get(mpi.name)!, ranks, program: programs.get(program)!, args, flags, timeoutMs });

    test.each(RANKS)("%i ranks gather every length, blocking and not, and in parts", async (ranks) => {
      const { status, output, results } = await run<Gathers>("gathers", ranks);
      expect({ status, output }).toEqual({ status: 0, output: "" });
      for (const result of results) {
        expect(result).toMatchObject({ size: ranks, found: [] });
        expect(result!.library).toContain(mpi.name);
      }
    });

    test.each(RANKS)("SyncBatchNorm on %i ranks gives the bits of one layer", async (ranks) => {
      const { status, output, results } = await run<Equality>("equality", ranks);
      expect({ status, output }).toEqual({ status: 0, output: "" });
      for (const result of results) expect(result).toEqual({ size: ranks, found: [] });
    });

    test("the program of docs/mpi.md runs", async () => {
      const page = readFileSync(join(root, "docs", "mpi.md"), "utf8");
      // Inside of the package, so that it imports the package by its name.
      const program = join(root, "build", `mpi-page-${process.pid}.mjs`);
      writeFileSync(program, /```js\n([^]*?)```/.exec(page)![1]!);
      try {
        const { status, output } = await launch({ mpi, addon: addons.get(mpi.name)!, ranks: 2, program });
        expect({ status, output }).toEqual({
          status: 0,
          output: expect.stringMatching(/^2 ranks, running mean \S+\n$/) as string,
        });
      } finally {
        rmSync(program);
      }
    });

    /** Time limits in milliseconds: four ranks share two cores with other tests. */
    const [LIMIT, LONG] = [3000, 30_000];
    /** What the ranks but the culprit were told. */
    async function told(fault: string, form: string, limit = LIMIT): Promise<Told[]> {
      const culprit = 2;
      const launched = await run<Told>("fault", 4, [fault, culprit, limit, form], mpi.survive);
      expect(launched.hung).toBe(false);
      // Where a rank dies in the middle of a gather, its neighbours may not come either: they wait for it.
      const named = fault === "kill" ? (expect.arrayContaining([culprit]) as number[]) : [culprit];
      const others = launched.results.filter((_, rank) => rank !== culprit);
      for (const one of others) {
        if (one === undefined) throw new Error(`a rank was told nothing:\n${launched.output}`);
        expect(one).toMatchObject({ name: "GroupError", code: "ERR_BATCHNORM_GROUP", ranks: named });
        expect(one.message).toContain(`gather ${one.done}`);
        expect(one.again).toMatchObject({ code: "ERR_BATCHNORM_GROUP", ranks: named });
        expect(one.again.message).toMatch(/^the group cannot be used any more: /);
        expect(one.waited).toBeLessThan(limit + 2000);
      }
      return others as Told[];
    }

    test.each(["blocking", "async"])("a rank that hangs is named when the time is over, %s", async (form) => {
      const others = await told("hang", form);
      for (const { message, done } of others) {
        expect(done).toBe(20);
        expect(message).toMatch(/^(rank \d gave up: )?rank 2 did not come within 3000 ms, in gather 20$/);
      }
      expect(others.some(({ message }) => message.startsWith("rank 2"))).toBe(true);
    });

    test.each(["blocking", "async"])("a rank that passes another length is named at once, %s", async (form) => {
      for (const { message, waited } of await told("length", form, LONG)) {
        expect(message).toBe("rank 2 passed 301 values, and the others passed 200, in gather 20");
        expect(waited).toBeLessThan(1000);
      }
    });

    test.each(["blocking", "async"])("a rank that gives up tells the others at once, %s", async (form) => {
      for (const { message, waited } of await told("abort", form, LONG)) {
        expect(message).toBe("rank 2 gave up: the data are bad, in gather 20");
        expect(waited).toBeLessThan(1000);
      }
    });

    // MPICH's launcher ends all ranks itself where it cannot answer one that is gone.
    test.skipIf(mpi.name === "MPICH")("a rank that is killed at a random point", async () => {
      for (let round = 0; round < KILLS; round++) await told("kill", round % 2 ? "async" : "blocking");
    });

    test.each(["kill", "throw", "exit"])(
      "where the launcher is left to it, a rank's %s ends the others",
      async (fault) => {
        const { status, hung } = await run<Told>("fault", 4, [fault, 2, 60_000], [], 20_000);
        expect({ hung, failed: status !== 0 }).toEqual({ hung: false, failed: true });
      },
    );

    test("no argument ends the process", () => {
      const { status, stdout, stderr } = spawnSync(process.execPath, [programs.get("hostile")!], {
        encoding: "utf8",
        env: { ...process.env, BATCHNORM_MPI: addons.get(mpi.name), NODE_OPTIONS: "" },
      });
      expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "all refused\n", stderr: "" });
    });
  });
}

const [first, second] = MPIS;
const both = MPIS.every(({ missing }) => missing === null);

test.skipIf(!both)("ranks that another MPI's launcher started are told, and not each left alone", async () => {
  for (const [mpi, other] of [
    [first!, second!],
    [second!, first!],
  ] as const) {
    const addon = addons.get(other.name)!;
    const { status, output } = await launch({ mpi, addon, ranks: 2, program: programs.get("gathers")! });
    expect(status).not.toBe(0);
    expect(output).toContain(`mpirun of ${mpi.name} started 2 ranks, but ${other.name} `);
    expect(output).toContain("ERR_BATCHNORM_MPI");
  }
});

describe("build-mpi", () => {
  test("says what to install where there is no compiler", () => {
    const { status, stderr } = cli(["build-mpi", "--mpicxx", "no-such-mpicxx"]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^batchnorm: no-such-mpicxx cannot be run\.\nInstall an MPI/);
    expect(stderr).toContain("apt-get install g++ openmpi-bin libopenmpi-dev");
  });

  const any = MPIS.find(({ missing }) => missing === null);
  test.skipIf(any === undefined)("says what to install where there are no headers, and leaves no file", () => {
    const folder = scratchFolder();
    const args = ["build-mpi", "--mpicxx", any!.compiler, "--out", folder];
    const { status, stderr } = cli([...args, "--include", folder]);
    expect(status).toBe(1);
    expect(stderr).toContain(`node_api.h was not found in ${folder}.\nInstall them with: npm install`);
    expect(existsSync(join(folder, "batchnorm-mpi.node"))).toBe(false);
  });

  test.each([
    [["--out="], "--out needs a value"],
    [["--outt", "x"], "unknown option --outt: did you mean --out?"],
  ])("refuses %j", (args, message) => {
    const { status, stderr } = cli(["build-mpi", ...args]);
    expect(status).toBe(2);
    expect(stderr).toContain(message);
  });
});

describe("without an addon", () => {
  const failure = (addon: string): string => {
    const { status, stderr } = spawnSync(process.execPath, [programs.get("gathers")!], {
      encoding: "utf8",
      env: { ...process.env, BATCHNORM_MPI: addon, NODE_OPTIONS: "" },
    });
    expect(status).toBe(1);
    expect(stderr).toContain("code: 'ERR_BATCHNORM_MPI'");
    expect(stderr).toContain("Build the addon with: npx batchnorm build-mpi");
    return stderr;
  };

  test("the error has a code and the command", () => {
    const folder = scratchFolder();
    expect(failure(folder)).toContain(
      `the addon for MPI is not built: ${join(folder, "batchnorm-mpi.node")} does not exist`,
    );
  });

  test("a damaged one is not loaded", () => {
    const file = join(scratchFolder(), "batchnorm-mpi.node");
    writeFileSync(file, "\u007fELF");
    expect(failure(file)).toContain("is truncated");
    writeFileSync(file, "no binary at all");
    expect(failure(file)).toContain("the addon for MPI cannot be loaded: ");
  });
});
