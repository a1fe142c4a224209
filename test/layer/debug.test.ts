// BATCHNORM_DEBUG=1 rejects a backward whose data changed since its forward; without it nothing is watched.
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { BatchNorm } from "../../src/index.js";

/** Runs `body` in a process with the variable set, where BatchNorm, x, residual, dy and layer are at hand. */
function inDebug(body: string): unknown {
  const source = new URL("../../src/index.js", import.meta.url).href;
  const program = `
    import { BatchNorm } from ${JSON.stringify(source)};
    const x = Float32Array.of(1, 2, 3, 4), residual = Float32Array.of(4, 3, 2, 1), dy = Float32Array.of(1, 0, 0, 2);
    const layer = new BatchNorm(2, { activation: "relu" });
    const run = () => { ${body} };
    let result = "accepted";
    try { run(); } catch (error) { result = [error.name, error.code, error.message]; }
    console.log(JSON.stringify(result));`;
  const output = execFileSync(process.execPath, ["--import", "tsx", "--input-type=module", "--eval", program], {
    cwd: fileURLToPath(new URL("../..", import.meta.url)),
    env: { ...process.env, BATCHNORM_DEBUG: "1", BATCHNORM_BACKEND: "oracle" },
    encoding: "utf8",
  });
  return JSON.parse(output) as unknown;
}

describe("BATCHNORM_DEBUG=1", () => {
  const rejected = [
    "RangeError",
    "ERR_BATCHNORM_SAVED",
    '"saved" refers to data that changed between forward and backward',
  ];
  test.each<[string, string, unknown]>([
    ["unchanged data", "layer.forward(x, [2, 2], { residual }); layer.backward(dy);", "accepted"],
    ["a changed x", "layer.forward(x, [2, 2]); x[3] += 1; layer.backward(dy);", rejected],
    [
      "a changed residual",
      "layer.forward(x, [2, 2], { residual }); residual[0] = -residual[0]; layer.backward(dy);",
      rejected,
    ],
    [
      "a changed x of a spread copy",
      "layer.forward(x, [2, 2]); x[3] += 1; layer.backward(dy, { saved: { ...layer.saved } });",
      rejected,
    ],
    [
      "a changed x of a clone",
      "layer.forward(x, [2, 2]); const saved = structuredClone(layer.saved); saved.x[3] += 1; layer.backward(dy, { saved });",
      rejected,
    ],
    [
      "an unchanged clone",
      "layer.forward(x, [2, 2]); layer.backward(dy, { saved: structuredClone(layer.saved) });",
      "accepted",
    ],
    [
      "a residual that became the output",
      "layer.forward(x, [2, 2], { residual, out: residual }); layer.backward(dy);",
      "accepted",
    ],
    [
      "an output changed in place",
      "layer.forward(x, [2, 2], { residual, out: residual })[1] = -1; layer.backward(dy);",
      rejected,
    ],
    [
      "the last of an odd number of 16-bit elements, off a multiple of four bytes",
      "const half = new Uint16Array(8).subarray(1, 4); const bf = new BatchNorm(1, { dtype: 'bfloat16' });" +
        "half.set([16256, 16384, 16448]); bf.forward(half, [3, 1]); half[2] += 1; bf.backward(new Uint16Array(3));",
      rejected,
    ],
  ])("%s", (_, body, expected) => {
    expect(inDebug(body)).toEqual(expected);
  });
});

test("without it a changed x is the caller's business", () => {
  const layer = new BatchNorm(2);
  const x = Float32Array.of(1, 2, 3, 4);
  layer.forward(x, [2, 2]);
  x[0]! += 1;
  expect(layer.backward(x).gradInput).toHaveLength(4);
});
