// What a layer keeps between calls, and that results do not depend on it.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test, vi } from "vitest";
import { oracle } from "../../src/backends/oracle/oracle.js";
import { Workspace } from "../../src/engine/workspace.js";
import { BatchNorm } from "../../src/index.js";

setFlagsFromString("--expose-gc");
const gc = runInNewContext("gc") as () => void;

/** Bytes of array buffers that are still held when the garbage has been collected. */
async function held(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return process.memoryUsage().arrayBuffers;
}

const HEADER = 1000;

test.each([
  [64, [8, 64, 7, 7], 128],
  [1000, [4, 1000], 128],
  [1000, [0, 1000], 0],
  [20_000, [2, 20_000], 0],
  [20_000, [0, 20_000], 0],
])(
  "with %i channels, after a forward of %j it keeps at most %i bytes for each of them",
  async (channels, shape, most) => {
    const layer = new BatchNorm(channels);
    const x = new Float32Array(shape.reduce((a, b) => a * b)).fill(1);
    const before = await held();
    layer.forward(x, shape, { save: false });
    expect((await held()) - before).toBeLessThan(most * channels + HEADER);
    expect(layer.numFeatures + x.length).toBeGreaterThan(0); // both are still alive
  },
);

test("many channels: results are the same when the garbage collector has run between calls", async () => {
  const channels = 12_000;
  const shape = [3, channels];
  const x = Float32Array.from({ length: 3 * channels }, (_, i) => ((i * 7919) % 1013) / 32 - 16);
  const [at, after] = [new BatchNorm(channels), new BatchNorm(channels)];
  for (let step = 0; step < 3; step++) {
    const output = at.forward(x, shape);
    const { gradInput } = at.backward(x);
    const expected = after.forward(x, shape);
    await held();
    expect(output).toEqual(expected);
    expect(after.backward(x).gradInput).toEqual(gradInput);
    await held();
  }
  expect(after.threads).toBe(at.threads);
});

test("an engine without WeakRef: the layer keeps its own memory", () => {
  vi.stubGlobal("WeakRef", undefined);
  const layer = new BatchNorm(12_000);
  const x = new Float32Array(24_000).fill(3);
  const [first, second] = [layer.forward(x, [2, 12_000]), layer.forward(x, [2, 12_000])];
  vi.unstubAllGlobals();
  expect(second).toEqual(first);
});

test("a part of a tensor is written past the cache if the whole is", () => {
  const extent = { outer: 4, channels: 3, inner: 20 };
  const workspaceOf = (whole?: number): Workspace =>
    new Workspace(oracle, "float32", extent, false, (control) => control.set("streamFrom", 1200), whole);
  expect(workspaceOf().control.get("streamFrom")).toBe(1200);
  expect(workspaceOf(960).control.get("streamFrom")).toBe(300);
  expect(workspaceOf().controlOfSamples(4).get("streamFrom")).toBe(1200);
  const samples = { ...extent, outer: 80, inner: 1 };
  const rows = new Workspace(oracle, "float32", samples, false, (control) => control.set("streamFrom", 1200));
  expect(rows.controlOfSamples(4).get("streamFrom")).toBe(300);
});

test.each([
  // Small samples are one call, and large ones as many as are worth two threads.
  [8, { outer: 8, channels: 16, inner: 64 }, 8],
  [32, { outer: 32, channels: 256, inner: 196 }, 16],
  [32, { outer: 32, channels: 64, inner: 3136 }, 4],
  [7, { outer: 7, channels: 64, inner: 3136 }, 7],
  [4, { outer: 4, channels: 4, inner: 2 ** 18 }, 1],
  // Other channels side by side would be summed in another order, or be too many.
  [4, { outer: 4, channels: 3, inner: 5 }, 1],
  [9, { outer: 9, channels: 600, inner: 2 }, 3],
  [4, { outer: 80, channels: 30, inner: 1 }, 1],
])("of %i samples of %j, %i share a call", (samples, extent, together) => {
  const workspace = new Workspace(oracle, "float32", extent, false, () => undefined);
  const own = workspace.controlOfSamples(samples);
  expect(own.extent.channels).toBe(together * extent.channels);
  expect(own.extent.outer).toBe(extent.outer / samples);
  expect(workspace.controlOfSamples(samples)).toBe(own);
});
