// Which backend is used: the best, the one that is named, or an error that says why not. In processes of
// their own, because environment and engine flags are read once.
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import type { BackendStatus } from "../../src/backends/backend.js";
import { backendsUnderTest } from "../support/backends.js";
import { packageCopy, root, runModule } from "../support/package-copy.js";

interface Answer {
  readonly forward: string;
  readonly list: readonly BackendStatus[];
}

function ask(env: Record<string, string>, folder = root, flags: readonly string[] = []): Answer {
  const index = pathToFileURL(join(folder, "dist", "index.js")).href;
  const code = `
    import { BatchNorm, backends } from ${JSON.stringify(index)};
    let forward;
    try {
      const bn = new BatchNorm(2);
      bn.forward(new Float32Array(8), [4, 2]);
      forward = bn.backend;
    } catch ({ name, message }) { forward = name + ": " + message; }
    console.log(JSON.stringify({ forward, list: backends() }));`;
  const { stdout } = spawnSync(process.execPath, [...flags, "--input-type=module", "-e", code], {
    encoding: "utf8",
    env: { ...process.env, ...env },
  });
  return JSON.parse(stdout) as Answer;
}

const inUse = (list: readonly BackendStatus[]): string[] =>
  list.filter(({ status }) => status === "in use").map(({ name }) => name);

describe("BATCHNORM_BACKEND", () => {
  test("unset or empty: the best that loads, every other one available or with a reason", () => {
    const best = backendsUnderTest.find(({ kernels }) => kernels)!.name;
    for (const env of [{}, { BATCHNORM_BACKEND: "" }] as Record<string, string>[]) {
      const { forward, list } = ask(env);
      expect(forward).toBe(best);
      expect(inUse(list)).toEqual([best]);
      expect(list.map(({ name }) => name)).toEqual(backendsUnderTest.map(({ name }) => name));
      for (const { name, status, reason, selfCheckMs } of list) {
        expect(status === "unavailable", name).toBe(reason !== undefined);
        if (status === "unavailable" || name === "oracle") expect(selfCheckMs, name).toBeUndefined();
        else expect(selfCheckMs, name).toBeGreaterThan(0);
      }
    }
  });

  test.each(backendsUnderTest.filter(({ kernels }) => kernels))("$name is used when it is named", ({ name }) => {
    const { forward, list } = ask({ BATCHNORM_BACKEND: name });
    expect(forward).toBe(name);
    expect(inUse(list)).toEqual([name]);
  });

  test("one that cannot be used throws at first use, with its reason, and backends() still answers", () => {
    const missing = backendsUnderTest.find(({ kernels }) => !kernels)!;
    const { forward, list } = ask({ BATCHNORM_BACKEND: missing.name });
    const { reason } = list.find(({ name }) => name === missing.name)!;
    expect(forward).toBe(`BackendUnavailableError: backend "${missing.name}" cannot be used: ${reason}`);
    expect(inUse(list)).toEqual([]);
  });

  test("an unknown name throws too", () => {
    const { forward } = ask({ BATCHNORM_BACKEND: "gpu" });
    expect(forward).toMatch(
      /^BackendUnavailableError: backend "gpu" cannot be used: not one of native, native\/avx512,/,
    );
  });
});

test("without native code and WebAssembly the oracle is used, and the reasons are kept", () => {
  const folder = packageCopy();
  rmSync(join(folder, "prebuilds"), { recursive: true, force: true });
  const { forward, list } = ask({}, folder, ["--jitless"]);
  expect(forward).toBe("oracle");
  expect(inUse(list)).toEqual(["oracle"]);
  expect(list.at(-2)).toEqual({
    name: "wasm",
    status: "unavailable",
    reason: "this JavaScript engine has no WebAssembly",
  });
});

// V8 has no WASM SIMD on a CPU without SSE4.1, and may be told that this one is such.
test.runIf(process.arch === "x64")("an engine without WASM SIMD gets the oracle, and is told why", () => {
  const folder = packageCopy();
  rmSync(join(folder, "prebuilds"), { recursive: true, force: true });
  const { forward, list } = ask({}, folder, ["--no-enable-sse4-1"]);
  expect(forward).toBe("oracle");
  expect(inUse(list)).toEqual(["oracle"]);
  expect(list.at(-2)).toMatchObject({ name: "wasm", status: "unavailable" });
  expect(list.at(-2)!.reason).toMatch(/^WebAssembly does not compile \(128-bit SIMD is needed\): .*SIMD unsupported/);
});

test("WebAssembly that there is no memory to check in is unavailable, not rejected", () => {
  const index = pathToFileURL(join(root, "dist", "index.js")).href;
  const { stdout, stderr } = runModule(
    `const { Memory } = WebAssembly;
    let made = 0;
    WebAssembly.Memory = function (size) {
      if (made++ > 0) throw new RangeError("could not allocate memory");
      return new Memory(size);
    };
    const { backends } = await import(${JSON.stringify(index)});
    console.log(JSON.stringify(backends()));`,
    root,
  );
  const wasm = (JSON.parse(stdout) as BackendStatus[]).find(({ name }) => name === "wasm");
  const reason = "it cannot be checked: could not allocate memory";
  expect(wasm).toMatchObject({ status: "unavailable", reason });
  expect(stderr).toContain(`backend wasm is not used for float32, ${reason}`);
});
