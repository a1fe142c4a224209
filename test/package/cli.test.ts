// npx batchnorm, as it is run: the built package, in processes of their own.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Row } from "../../src/cli/bench-run.js";
import { adviceOf, cli, doctor, inUse, version } from "../support/cli.js";
import { hasNative } from "../support/backends.js";
import { packageCopy, root } from "../support/package-copy.js";
import { replaceWasm } from "../support/replace-wasm.js";
import { wasmMutants } from "../support/wasm-mutants.js";

describe("doctor", () => {
  test("tells every backend, the machine, threads and the binary, and that all is well", () => {
    const { stdout, stderr, status } = cli(["doctor"]);
    expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
    for (const part of [`batchnorm ${version}, contract 1`, `node ${process.versions.node}`, "backends", "threads"])
      expect(stdout).toContain(part);
    expect(stdout).toMatch(/^ {2}wasm +(in use|available) +self-check \d+\.\d ms$/m);
    expect(stdout).toMatch(/^ {2}oracle +available$/m);
    expect(stdout).toMatch(/^first result\n {2}import +\d+\.\d ms\n(?: {2}\D.* \d+\.\d ms\n){4}speed$/m);
    expect(stdout).toMatch(/^ {2}a forward of 32×64×14×14 float32 values on \S+: \S+ ms, \S+ times the /m);
    const checksum = existsSync(join(root, "prebuilds", "checksums.json"))
      ? "that of the release"
      : "built from source";
    if (hasNative) expect(stdout).toContain(checksum);
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

  test("--jitless: no WASM, and nothing is wrong where native code runs", () => {
    const { report, status } = doctor({ flags: ["--jitless"] });
    expect(status).toBe(hasNative ? 0 : 1);
    expect(adviceOf(report)).toContain("this engine has no WebAssembly");
    const { stdout } = cli(["doctor"], { flags: ["--jitless"] });
    expect(stdout).not.toContain("WebAssembly is used");
    expect(stdout).toContain(hasNative ? "native code is used" : "plain JavaScript is used");
  });

  test("plain JavaScript alone: how slow it is, as measured, what to do, and exit code 1", () => {
    const plain = { flags: ["--jitless", "--no-addons"] };
    const { report, status } = doctor(plain);
    expect([status, inUse(report), report.ok]).toEqual([1, "oracle", false]);
    const { backend, ratio, forwardMs, copyMs } = report.speed!;
    expect([backend, ratio]).toEqual(["oracle", forwardMs / copyMs]);
    expect(adviceOf(report)).toEqual([
      "nothing but plain JavaScript can run here",
      hasNative ? "this process may not load addons" : "there is no native binary here",
      "this engine has no WebAssembly",
    ]);
    expect(report.advice[0]!.text).toContain(`${Math.round(ratio)} times as long as copying`);
    const { stdout } = cli(["doctor"], plain);
    expect(stdout).toMatch(
      /^ {2}a forward of \S+ float32 values on oracle: \d+ ms, \d+ times the \S+ ms of copying them$/m,
    );
    expect(stdout).toMatch(/plain JavaScript is used; leave --jitless out/);
    expect(stdout).not.toMatch(/WebAssembly is used|all is well/);
    expect(stdout.endsWith("\nsomething is wrong\n")).toBe(true);
  });

  test.each(["wasm", "oracle"])("the parts of the first result, on %s", (backend) => {
    const { backend: used, totalMs, ...parts } = doctor({ env: { BATCHNORM_BACKEND: backend } }).report.firstResult!;
    const { importMs, loadMs, selfCheckMs, forwardMs } = parts;
    expect(used).toBe(backend);
    expect(selfCheckMs > 0).toBe(backend === "wasm");
    for (const ms of [importMs, loadMs, forwardMs]) expect(ms).toBeGreaterThan(0);
    expect(importMs + loadMs + selfCheckMs + forwardMs).toBeCloseTo(totalMs, 6);
  });

  test("plain JavaScript by choice is no fault", () => {
    const { report, status } = doctor({ env: { BATCHNORM_BACKEND: "oracle" } });
    expect([status, inUse(report), report.speed!.backend]).toEqual([0, "oracle", "oracle"]);
  });

  test("a backend with a wrong bit is rejected: a report is asked for, exit code 1", () => {
    const folder = packageCopy();
    const mutant = wasmMutants().find(({ name }) => name.startsWith("f32x4.sub"))!;
    replaceWasm(join(folder, "dist"), () => Buffer.from(mutant.bytes).toString("base64"));
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

test
  .skipIf(!existsSync("/dev/full"))
  .each([["doctor"], ["doctor --json"], ["bench --seconds 0.1"], ["--version"], ["--help"]])(
  "%s, whose output cannot be written: one line, exit code 1",
  (command) => {
    const program = JSON.stringify(join(root, "dist", "cli.js"));
    const { stderr, status } = spawnSync("sh", ["-c", `exec "${process.execPath}" ${program} ${command} > /dev/full`], {
      encoding: "utf8",
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^batchnorm: .*ENOSPC: no space left on device.*\n$/);
  },
);

test("--help and --version, also behind a command", () => {
  expect(cli(["--version"])).toEqual({ stdout: `${version}\n`, stderr: "", status: 0 });
  for (const args of [["--help"], ["-h"], ["doctor", "--help"]]) {
    const { stdout, status } = cli(args);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Usage: npx batchnorm <command>[^]*Exit codes: 0 /);
  }
});

test.each([
  [[], "a command is missing: doctor, bench, build-mpi"],
  [["docter"], "unknown command docter: did you mean doctor?"],
  [["toString"], "unknown command toString: there are doctor, bench, build-mpi, --help, --version"],
  [["--jsn"], "unknown command --jsn: there are doctor, bench, build-mpi, --help, --version"],
  [["doctor", "--jsn"], "unknown option --jsn: did you mean --json?"],
  [["doctor", "--verif"], "unknown option --verif: did you mean --verify?"],
  [["doctor", "-j"], "unknown option -j: did you mean --json?"],
  [["doctor", "--seconds", "3"], "unknown option --seconds: there are --json, --verify"],
  [["doctor", "--json=yes"], '--json takes no value, got "yes"'],
  [["doctor", "now"], 'unexpected argument "now"'],
  [["bench", "--seconds"], "--seconds needs a value"],
  [["bench", "--seconds", "soon"], '--seconds expected a positive number up to 3600, got "soon"'],
  [["bench", "--seconds", "0"], '--seconds expected a positive number up to 3600, got "0"'],
  [["bench", "--seconds", "-1"], '--seconds expected a positive number up to 3600, got "-1"'],
  [["bench", "--seconds=-1"], '--seconds expected a positive number up to 3600, got "-1"'],
])("usage: %j", (args, message) => {
  const { stdout, stderr, status } = cli(args);
  expect({ stdout, status }).toEqual({ stdout: "", status: 2 });
  expect(stderr).toContain(`batchnorm: ${message}`);
});
