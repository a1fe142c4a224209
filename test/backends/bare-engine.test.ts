// Engines that are nothing but ECMAScript: none of the globals that browsers and Node add.
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
