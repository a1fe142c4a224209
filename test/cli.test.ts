// npx batchnorm, as it is run: copies of the built package, and processes of their own.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Report } from "../src/cli/report.js";
import type { Row } from "../src/cli/bench-run.js";
import { isAvailable } from "./backends.js";
import { packageCopy, root, type Outcome } from "./support/package-copy.js";
import { wasmMutants } from "./support/wasm-mutants.js";

interface Run {
  readonly folder?: string;
  readonly env?: Record<string, string>;
  readonly flags?: readonly string[];
}

function cli(args: readonly string[], { folder = root, env = {}, flags = [] }: Run = {}): Outcome {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("BATCHNORM_"));
  const { stdout, stderr, status } = spawnSync(process.execPath, [...flags, join(folder, "dist", "cli.js"), ...args], {
    encoding: "utf8",
    env: { ...Object.fromEntries(inherited), NODE_OPTIONS: "", ...env },
  });
  return { stdout, stderr, status };
}

function doctor(run: Run = {}): { report: Report; status: number | null } {
  const { stdout, status } = cli(["doctor", "--json"], run);
  return { report: JSON.parse(stdout) as Report, status };
}

const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
const adviceOf = ({ advice }: Report): string[] => advice.map(({ about }) => about);
const inUse = ({ backends }: Report): string | undefined => backends.find(({ status }) => status === "in use")?.name;

/** The binary that the loader of this machine looks for, relative to prebuilds/. */
function binaryIn(folder: string): { name: string; path: string } {
  const { machine } = doctor({ folder }).report;
  const name = `${machine.platform}-${machine.arch}/batchnorm.${machine.libc}.node`;
  return { name, path: join(folder, "prebuilds", name) };
}

describe("doctor", () => {
  test("tells every backend, the machine, threads and the binary, and that all is well", () => {
    const { stdout, stderr, status } = cli(["doctor"]);
    expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
    for (const part of [`batchnorm ${version}, contract 1`, `node ${process.versions.node}`, "backends", "threads"])
      expect(stdout).toContain(part);
    expect(stdout).toMatch(/^ {2}wasm +(in use|available) +self-check \d+\.\d ms$/m);
    expect(stdout).toMatch(/^ {2}oracle +available$/m);
    expect(stdout.endsWith("\nall is well\n")).toBe(true);
  });

  test("--json is one object with the same", () => {
    const { report, status } = doctor({ env: { BATCHNORM_THREADS: "3", BATCHNORM_BACKEND: "wasm" } });
    expect(status).toBe(0);
    expect(report).toMatchObject({
      version,
      contractVersion: 1,
      ok: true,
      machine: { runtime: "node", platform: process.platform, arch: process.arch },
      threads: { count: 3, from: "BATCHNORM_THREADS" },
      variables: { BATCHNORM_THREADS: "3", BATCHNORM_BACKEND: "wasm" },
      verification: null,
    });
    expect(inUse(report)).toBe("wasm");
    expect(doctor().report.threads.from).toBe("the machine");
  });

  test.each([
    ["BATCHNORM_BACKEND", "native/avx1024", /^BATCHNORM_BACKEND: backend "native\/avx1024" cannot be used: not one of/],
    ["BATCHNORM_THREADS", "many", /^BATCHNORM_THREADS: .*expected a positive integer, got "many"$/],
  ])("goes on under a bad %s, says why, and fails", (name, value, reason) => {
    const { report, status } = doctor({ env: { [name]: value } });
    expect(status).toBe(1);
    expect(report.advice).toContainEqual(expect.objectContaining({ about: expect.stringMatching(reason) as string }));
    expect(report.backends.find((one) => one.name === "wasm")!.status).not.toBe("unavailable");
    const { stdout } = cli(["doctor"], { env: { [name]: value } });
    expect(stdout).toContain(`${name}=${value}`);
    expect(stdout.endsWith("\nsomething is wrong\n")).toBe(true);
  });

  test("--no-addons: WASM, and how to allow addons", () => {
    const { report, status } = doctor({ flags: ["--no-addons"] });
    expect([status, inUse(report)]).toEqual([0, "wasm"]);
    if (existsSync(report.binary.path ?? "")) expect(adviceOf(report)).toEqual(["this process may not load addons"]);
  });

  test("--jitless: no WASM", () => {
    const { report, status } = doctor({ flags: ["--jitless"] });
    expect(status).toBe(0);
    expect(adviceOf(report)).toContain("this engine has no WebAssembly");
  });

  test("a backend with a wrong bit is rejected: a report is asked for, exit code 1", () => {
    const folder = packageCopy();
    const file = join(folder, "dist", "wasm-binary.js");
    const mutant = wasmMutants().find(({ name }) => name.startsWith("f32x4.sub"))!;
    const base64 = Buffer.from(mutant.bytes).toString("base64");
    writeFileSync(file, readFileSync(file, "utf8").replace(/"[A-Za-z0-9+/=]{100,}"/, JSON.stringify(base64)));
    const { report, status } = doctor({ folder });
    expect([status, report.backends.find(({ name }) => name === "wasm")!.status]).toEqual([1, "rejected"]);
    expect(adviceOf(report)).toEqual(["wasm computes wrong bits"]);
  });
});

describe.skipIf(!isAvailable("native/scalar"))("the native binary", () => {
  const manifestOf = (name: string, sha256: string, bytes: number): string =>
    JSON.stringify({ version, files: { [name]: { sha256, bytes } } });

  test("missing: WASM, no failure", () => {
    const folder = packageCopy();
    rmSync(join(folder, "prebuilds"), { recursive: true });
    const { report, status } = doctor({ folder });
    expect([status, inUse(report), report.binary.checksum]).toEqual([0, "wasm", "no binary"]);
    expect(adviceOf(report)).toEqual(["the native binary is missing"]);
  });

  test.each([1000, 1_000_000])("truncated to %i bytes: damaged", (length) => {
    const folder = packageCopy();
    truncateSync(binaryIn(folder).path, length);
    const { report, status } = doctor({ folder });
    expect([status, inUse(report)]).toEqual([1, "wasm"]);
    expect(adviceOf(report)).toEqual(["the native binary is damaged"]);
  });

  test("beside checksums: matches, differs, or is not listed", () => {
    const folder = packageCopy();
    const { name, path } = binaryIn(folder);
    const sha256 = createHash("sha256").update(readFileSync(path)).digest("hex");
    const bytes = statSync(path).size;
    const checked = (manifest: string): [string, number | null] => {
      writeFileSync(join(folder, "prebuilds", "checksums.json"), manifest);
      const { report, status } = doctor({ folder });
      expect(report.binary).toMatchObject({ sha256, bytes });
      return [report.binary.checksum, status];
    };
    rmSync(join(folder, "prebuilds", "checksums.json"), { force: true });
    expect(doctor({ folder }).report.binary.checksum).toBe("no manifest: a build of one's own");
    expect(checked(manifestOf(name, sha256, bytes))).toEqual(["matches", 0]);
    expect(checked(manifestOf(name, sha256.replace(/./g, "0"), bytes))).toEqual(["differs", 1]);
    expect(checked(manifestOf("win32-x64/batchnorm.node", sha256, bytes))).toEqual([
      "not in the manifest: a build of one's own",
      0,
    ]);
  });

  test("beside checksums that are no JSON: differs, with the parser's words", () => {
    const folder = packageCopy();
    writeFileSync(join(folder, "prebuilds", "checksums.json"), "{");
    const { report, status } = doctor({ folder });
    expect([report.binary.checksum, status]).toEqual(["differs", 1]);
    expect(report.binary.error).toMatch(/^checksums\.json: .*JSON/);
  });
});

test("bench --seconds 1 --json: every operation on four shapes, as ratios to a copy", () => {
  const { stdout, stderr, status } = cli(["bench", "--seconds", "1", "--json"]);
  expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
  const { rounds, rows } = JSON.parse(stdout) as { rounds: number; rows: Row[] };
  expect(rounds).toBeGreaterThan(0);
  expect(rows.map(({ shape, operation }) => `${shape.join("x")} ${operation}`)).toEqual(
    ["32x64x56x56", "32x256x14x14", "6272x64", "8x16x8x8"].flatMap((shape) =>
      ["forward", "inference", "backward"].map((operation) => `${shape} ${operation}`),
    ),
  );
  for (const { copyMs, times, shape } of rows) {
    expect(times.some(({ backend }) => backend === "wasm")).toBe(true);
    expect(times.some(({ backend }) => backend === "oracle")).toBe(shape.length === 2 || shape[0] === 8);
    for (const { ms, ratio } of times) expect(ratio).toBeCloseTo(ms / copyMs, 9);
  }
});

test("--help and --version, also behind a command", () => {
  expect(cli(["--version"])).toEqual({ stdout: `${version}\n`, stderr: "", status: 0 });
  for (const args of [["--help"], ["-h"], ["doctor", "--help"]]) {
    const { stdout, status } = cli(args);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Usage: npx batchnorm <command>[^]*Exit codes: 0 /);
  }
});

test.each([
  [[], "a command is missing"],
  [["docter"], 'unknown command or option "docter"'],
  [["toString"], 'unknown command or option "toString"'],
  [["doctor", "--jsn"], "Unknown option '--jsn'"],
  [["doctor", "now"], "Unexpected argument 'now'"],
  [["bench", "--seconds", "soon"], '--seconds expected a number up to 3600, got "soon"'],
  [["bench", "--seconds", "0"], '--seconds expected a number up to 3600, got "0"'],
])("usage: %j", (args, message) => {
  const { stdout, stderr, status } = cli(args);
  expect({ stdout, status }).toEqual({ stdout: "", status: 2 });
  expect(stderr).toContain(`batchnorm: ${message}`);
});
