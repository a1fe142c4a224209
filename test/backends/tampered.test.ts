// A backend that computes one wrong bit is rejected by the real loader, from files on disk.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { buildNative } from "../../scripts/build/native.mjs";
import type { BackendStatus } from "../../src/backends/backend.js";
import { selfCheck } from "../../src/backends/self-check/self-check.js";
import { instantiate } from "../../src/backends/wasm/wasm.js";
import { backendsUnderTest, hasNative } from "../support/backends.js";
import { temporaryFolder } from "../support/folders.js";
import { backendsIn, packageCopy, root, runModule } from "../support/package-copy.js";
import { replaceWasm } from "../support/replace-wasm.js";
import { sample } from "../support/sample.js";
import { wasmBytes, wasmMutants } from "../support/wasm-mutants.js";

const statusOf = (list: readonly BackendStatus[], name: string): BackendStatus =>
  list.find((backend) => backend.name === name)!;

const arithmetic = wasmMutants().filter(({ isVector }) => isVector);

function putWasm(folder: string, bytes: Uint8Array): void {
  replaceWasm(join(folder, "dist"), () => Buffer.from(bytes).toString("base64"));
}

describe("WASM that is no module", () => {
  test.each([
    ["empty", (bytes: Uint8Array) => bytes.subarray(0, 0)],
    ["truncated", (bytes: Uint8Array) => bytes.subarray(0, bytes.length / 2)],
    ["without its magic number", (bytes: Uint8Array) => bytes.map((byte, i) => (i === 0 ? 1 : byte))],
    ["with an unknown opcode", (bytes: Uint8Array) => bytes.map((byte) => (byte === 0xfd ? 0xff : byte))],
  ])("%s: unavailable with the compiler's reason, the oracle in use", (_, spoil) => {
    const folder = packageCopy();
    rmSync(join(folder, "prebuilds"), { recursive: true, force: true });
    putWasm(folder, spoil(wasmBytes()));
    const { list } = backendsIn(folder);
    const { status, reason } = statusOf(list, "wasm");
    expect(status).toBe("unavailable");
    expect(reason).toMatch(/^WebAssembly does not compile .*: WebAssembly\.Module\(\): ./);
    expect(statusOf(list, "oracle").status).toBe("in use");
  });
});

describe("WASM with one opcode changed", () => {
  test("is rejected, named, and not used", () => {
    const folder = packageCopy();
    rmSync(join(folder, "prebuilds"), { recursive: true, force: true });
    expect(statusOf(backendsIn(folder).list, "wasm").status).toBe("in use");
    putWasm(folder, arithmetic.find(({ name }) => name.startsWith("f32x4.sub"))!.bytes);
    const { list, stderr } = backendsIn(folder);
    const { status, reason } = statusOf(list, "wasm");
    expect(status).toBe("rejected");
    expect(reason).toMatch(/^\w+: \w+\[\d+\] expected \S+, got \S+ \(float32, \d+×\d+×\d+\)$/);
    expect(statusOf(list, "oracle").status).toBe("in use");
    expect(stderr).toContain(`backend wasm is not used for float32, it differs from the oracle: ${reason}`);
  });

  test("throws where it is asked for by name", () => {
    const folder = packageCopy();
    putWasm(folder, arithmetic[0]!.bytes);
    const { stdout } = runModule(
      `import { BatchNorm } from "./dist/index.js";
       try { new BatchNorm(2, { backend: "wasm" }).forward(new Float32Array(8), [4, 2]); }
       catch ({ name, code, backend }) { console.log(name, code, backend); }`,
      folder,
    );
    expect(stdout.trim()).toBe("BackendUnavailableError ERR_BATCHNORM_BACKEND wasm");
  });
});

describe("WASM with one opcode of the weighted kernels changed", () => {
  const isOfWeights = ({ bytes }: { bytes: Uint8Array<ArrayBuffer> }): boolean => {
    const kernels = instantiate(new WebAssembly.Module(bytes));
    return selfCheck(kernels, "float32", false) === null && selfCheck(kernels, "float32", true) !== null;
  };
  const run = (calls: string): { stdout: string; stderr: string } => {
    const folder = packageCopy();
    rmSync(join(folder, "prebuilds"), { recursive: true, force: true });
    putWasm(folder, arithmetic.find(isOfWeights)!.bytes);
    return runModule(
      `import { BatchNorm, backends } from "./dist/index.js";
       const x = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 9);
       const mask = [1, 1, 0, 1];
       ${calls}`,
      folder,
    );
  };

  test("serves calls without weights, and those with run on the next", () => {
    const { stdout, stderr } = run(`
      const layer = new BatchNorm(2);
      layer.forward(x, [4, 2]);
      const other = new BatchNorm(2, { backend: "oracle" });
      console.log(layer.backend, String(layer.forward(x, [4, 2], { mask })) === String(other.forward(x, [4, 2], { mask })));
      console.log(backends().find(({ name }) => name === "wasm").status);`);
    expect(stdout.trim().split("\n")).toEqual(["wasm true", "in use"]);
    expect(stderr).toMatch(/backend wasm is not used for weighted float32, it differs from the oracle: \w+: /);
  });

  test("asked for by name, throws where there are weights, and writes nothing", () => {
    const { stdout } = run(`
      const layer = new BatchNorm(2, { backend: "wasm" });
      const out = new Float32Array(8);
      try { layer.forward(x, [4, 2], { mask, out }); }
      catch ({ code }) { console.log(code, String(out), String(layer.runningMean), layer.numBatchesTracked); }`);
    expect(stdout.trim()).toBe("ERR_BATCHNORM_BACKEND 0,0,0,0,0,0,0,0 0,0 0");
  });
});

const noNative = !hasNative;

describe.skipIf(noNative)("native with one operation changed", () => {
  const available = backendsUnderTest.filter(({ name, kernels }) => name.startsWith("native/") && kernels);
  const built = sample("instruction sets built with a fault", available, 1).map(({ name }) => name);

  /** Leaves the other instruction sets out of the build: each takes as long to compile as all else together. */
  function keepBuilt(native: string): void {
    const isKept = (set: string): boolean => built.length === available.length || built.includes(`native/${set}`);
    const keep = (file: string, entry: RegExp): void => {
      const text = readFileSync(join(native, file), "utf8");
      writeFileSync(
        join(native, file),
        text.replace(entry, (found, set: string) => (isKept(set) ? found : "")),
      );
    };
    keep("dispatch.cc", /\{&(\w+)::kernels, \w+\},/g);
    keep("batchnorm.gypi", /"isa\/(\w+)\.cc"(?:, )?/g);
  }

  /**
   * Leaves the kernels on 16-bit elements out, which are half of what is compiled: the fault is in those on float32 too, and the
   * loader checks these first.
   */
  function leaveOut16Bit(native: string): void {
    for (const name of readdirSync(join(native, "isa"))) {
      const path = join(native, "isa", name);
      const text = readFileSync(path, "utf8")
        .replace('#include "../kernels/all_16bit.inc"\n', "")
        .replace("&f16::table, &bf16::table", "nullptr, nullptr");
      writeFileSync(path, text);
    }
  }

  /** A copy of the sources with one replacement, built and put in place of the package's binary. */
  function packageWithFault(file: string, from: string, to: string): string {
    const source = temporaryFolder();
    for (const part of ["native", "binding.gyp", "package.json"])
      cpSync(join(root, part), join(source, part), { recursive: true });
    const path = join(source, "native", "kernels", file);
    const text = readFileSync(path, "utf8");
    expect(text.split(from)).toHaveLength(2);
    writeFileSync(path, text.replace(from, to));
    keepBuilt(join(source, "native"));
    leaveOut16Bit(join(source, "native"));
    // The least optimization builds in a third of the time, to the same bits.
    const outcome = buildNative({ quiet: true, root: source, env: { ...process.env, CXXFLAGS: "-O1" } });
    expect(outcome.built).toBe(true);
    const folder = packageCopy();
    cpSync(join(source, "prebuilds"), join(folder, "prebuilds"), { recursive: true });
    return folder;
  }

  test("every instruction set is rejected, kernel and element named, and WASM is used", () => {
    const folder = packageWithFault(
      "elements/normalize.inc",
      "z = z + load(residual + p, n)",
      "z = z - load(residual + p, n)",
    );
    const { list, stderr } = backendsIn(folder);
    for (const name of built) {
      const { status, reason } = statusOf(list, name);
      expect(status, name).toBe("rejected");
      expect(reason).toMatch(/^normalize: y\[\d+\] expected \S+, got \S+ \(float32, \d+×\d+×\d+\)$/);
      expect(stderr).toContain(`backend ${name} is not used`);
    }
    expect(statusOf(list, "wasm").status).toBe("in use");

    publishOther(folder);
    for (const name of built) expect(statusOf(backendsIn(folder).list, name).reason).toMatch(DIFFERS);
  });
});

const binaries = (folder: string): string[] =>
  ["batchnorm.glibc.node", "batchnorm.musl.node"]
    .map((name) => join(folder, "prebuilds", `${process.platform}-${process.arch}`, name))
    .filter((path) => existsSync(path));

/** Puts the checksums of other binaries beside those of a package. */
function publishOther(folder: string): void {
  const prebuilds = join(folder, "prebuilds");
  const names = binaries(folder).map((path) => path.slice(prebuilds.length + 1));
  const files = Object.fromEntries(names.map((name) => [name, { sha256: "0".repeat(64), bytes: 1 }]));
  writeFileSync(join(prebuilds, "checksums.json"), JSON.stringify({ version: "0.0.0", files }));
}

const DIFFERS =
  /; its checksum differs from the published one: install the package again \(npm install batchnorm --force\)$/;

describe.skipIf(noNative)("a binary that is no addon", () => {
  test.each([
    ["empty", (bytes: Buffer) => bytes.subarray(0, 0)],
    ["truncated", (bytes: Buffer) => bytes.subarray(0, 1000)],
    ["short of its last bytes", (bytes: Buffer) => bytes.subarray(0, -64)],
    ["text", () => Buffer.from("not a binary")],
  ])("%s: unavailable with the loader's reason, WASM in use", (_, spoil) => {
    const folder = packageCopy();
    for (const path of binaries(folder)) writeFileSync(path, spoil(readFileSync(path)));
    const { list } = backendsIn(folder);
    const { status, reason } = list.find(({ name }) => name.startsWith("native/"))!;
    expect(status).toBe("unavailable");
    expect(reason).toMatch(/(is truncated|invalid ELF header)$/);
    expect(statusOf(list, "wasm").status).toBe("in use");

    publishOther(folder);
    expect(backendsIn(folder).list[0]!.reason).toMatch(DIFFERS);
  });

  test.runIf(process.platform === "linux").each([
    ["a pipe", (path: string) => void spawnSync("mkfifo", [path])],
    ["a device", (path: string) => symlinkSync("/dev/zero", path)],
    ["a folder", (path: string) => mkdirSync(path)],
  ])("%s: unavailable at once, also beside checksums; nothing is read", (_, make) => {
    const folder = packageCopy();
    for (const path of binaries(folder)) {
      rmSync(path);
      make(path);
    }
    for (const change of [() => undefined, publishOther]) {
      change(folder);
      const { list } = backendsIn(folder);
      expect(list.find(({ name }) => name.startsWith("native/"))!.reason).toMatch(/\.node is not a file$/);
      expect(statusOf(list, "wasm").status).toBe("in use");
    }
  });
});
