// createBackend, each time in a process of its own: what it makes is for the whole process.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { root, runModule } from "../support/package-copy.js";

const index = JSON.stringify(pathToFileURL(join(root, "dist", "browser.js")).href);
const wasmFile = JSON.stringify(join(root, "dist", "batchnorm.wasm"));

/** What the code prints after the WASM module, `bytes`, is read. */
function printed(code: string): unknown {
  const { stdout, stderr } = runModule(
    `import { readFileSync } from "node:fs";
     const { BatchNorm, backends, createBackend } = await import(${index});
     const bytes = readFileSync(${wasmFile});
     const attempt = (action) => { try { return action(); } catch (error) { return [error.name, error.code, error.message]; } };
     const wasm = () => backends().find(({ name }) => name === "wasm");
     ${code}`,
    root,
  );
  expect(stderr).toBe("");
  return JSON.parse(stdout);
}

test("a module of the file is checked and used where compiling was refused", () => {
  const result = printed(`
    const { Module } = WebAssembly;
    const module = new Module(bytes);
    WebAssembly.Module = class { constructor() { throw new Error("Wasm code generation disallowed by embedder"); } };
    const before = wasm();
    const bn = new BatchNorm(2);
    bn.forward(new Float32Array(8), [4, 2]);
    WebAssembly.Module = Module;
    const { name, status } = createBackend(module);
    const layer = new BatchNorm(2, { backend: "wasm" });
    const y = layer.forward(Float32Array.of(1, 2, 3, 5), [2, 2]);
    console.log(JSON.stringify({ before, name, status, y: y.every(Number.isFinite) }));`);
  expect(result).toEqual({
    before: {
      name: "wasm",
      status: "unavailable",
      reason: "compiling WebAssembly is forbidden here: Wasm code generation disallowed by embedder",
    },
    name: "wasm",
    status: "in use",
    y: true,
  });
});

test("what is no module, or another's, is refused by name and changes nothing", () => {
  const result = printed(`
    const foreign = new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0));
    const refused = [undefined, bytes, {}, foreign].map((module) => attempt(() => createBackend(module)));
    console.log(JSON.stringify({ refused, status: wasm().status }));`);
  const expected = (got: string): string[] => [
    "TypeError",
    "ERR_BATCHNORM_TYPE",
    `"module" expected a WebAssembly.Module, got ${got}`,
  ];
  const { refused, status } = result as { refused: unknown[][]; status: string };
  expect(refused[0]).toEqual(expected("undefined"));
  expect(refused[1]![2]).toMatch(/^"module" expected a WebAssembly\.Module, got /);
  expect(refused[2]![0]).toBe("TypeError");
  expect(refused[3]).toEqual([
    "BackendUnavailableError",
    "ERR_BATCHNORM_BACKEND",
    expect.stringMatching(
      /^backend "wasm" cannot be used: the module does not export ownBytes, share, mergeGroups, widen, .*zeroMasked$/,
    ),
  ]);
  expect(status).toBe("in use");
});
