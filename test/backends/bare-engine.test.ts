// Engines that are nothing but ECMAScript: none of the globals that browsers and Node add. So is a realm of node:vm, but for the
// `require` that a module in it is given.
import { expect, test } from "vitest";
import { backendsUnderTest } from "../support/backends.js";
import { packageCopy, runModule } from "../support/package-copy.js";

const best = backendsUnderTest.find(({ kernels }) => kernels)!.name;

/** The backend in use where these globals were taken away first, and the output of a layer. */
function without(...names: string[]): { used: string; y: number[] } {
  const { stdout, stderr } = runModule(
    `const write = process.stdout.write.bind(process.stdout);
     for (const name of ${JSON.stringify(names)}) delete globalThis[name];
     const { BatchNorm, backends } = await import("./dist/index.js");
     const y = [...new BatchNorm(1).forward(new Float32Array([1, 3]), [2, 1])];
     write(JSON.stringify({ used: backends().find(({ status }) => status === "in use").name, y }));`,
    packageCopy(),
  );
  expect(stderr).toBe("");
  return JSON.parse(stdout) as { used: string; y: number[] };
}

const y = [-0.9999949932098389, 0.9999949932098389];

test.each([
  ["a clock", ["performance"], best],
  ["process", ["process"], "wasm"],
  ["process, nor a decoder of base64", ["process", "atob", "Buffer"], "oracle"],
  [
    "anything but the language",
    ["performance", "process", "atob", "Buffer", "console", "URL", "WebAssembly"],
    "oracle",
  ],
])("without %s", (_, names, used) => {
  expect(without(...names)).toEqual({ used, y });
});

test("a bare realm of node:vm gets what the process gets, and reads the process's variables", () => {
  const run = (env: Record<string, string>): unknown => {
    const { stdout, stderr } = runModule(
      `import { readFileSync } from "node:fs";
       import { createRequire } from "node:module";
       import { resolve } from "node:path";
       import { compileFunction, createContext } from "node:vm";
       const filename = resolve("dist/index.cjs");
       const names = ["module", "require", "__filename"];
       const parsingContext = createContext();
       const load = compileFunction(readFileSync(filename, "utf8"), names, { filename, parsingContext });
       const module = { exports: {} };
       load(module, createRequire(filename), filename);
       const { BatchNorm, backends } = module.exports;
       const y = [...new BatchNorm(1).forward(new Float32Array([1, 3]), [2, 1])];
       console.log(JSON.stringify({ used: backends().find(({ status }) => status === "in use").name, y }));`,
      packageCopy(),
      env,
    );
    expect(stderr).toBe("");
    return JSON.parse(stdout);
  };
  expect(run({})).toEqual({ used: best, y });
  expect(run({ BATCHNORM_BACKEND: "oracle" })).toEqual({ used: "oracle", y });
});
