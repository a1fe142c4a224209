// npx batchnorm, as it is run: the built package, in processes of their own.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Row } from "../../src/cli/bench-run.js";
import { adviceOf, cli, doctor, inUse, version } from "../support/cli.js";
import { packageCopy } from "../support/package-copy.js";
import { wasmMutants } from "../support/wasm-mutants.js";

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
    expect(adviceOf(report)).toContain("wasm computes wrong bits");
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
