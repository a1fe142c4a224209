// Sizes beyond 2^32 elements, without their memory: where blocks and tiles begin.
import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { type Control, blockCount, traversalOf, type Extent } from "../../src/kernels/control.js";
import { Traversal } from "../../src/kernels/layout.js";
import { blocksOf } from "../../src/backends/oracle/blocks.js";
import { boxesOf, tileForElements, tileForSums } from "../../src/backends/wasm/tiles.js";
import { isAvailable } from "../support/backends.js";
import { baseline, buildFixture } from "../support/faulty-addon.js";

const big = (extent: Extent): bigint => BigInt(extent.outer) * BigInt(extent.channels) * BigInt(extent.inner);

test.skipIf(!isAvailable(`native/${baseline}`))("native blocks: the last of each traversal", () => {
  const { stdout } = spawnSync(buildFixture("indices.cc"), { encoding: "utf8" });
  const lines = Object.fromEntries(
    stdout
      .trim()
      .split("\n")
      .map((line) => [line.split(" ")[0]!, line.split(" ").slice(1).map(BigInt)]),
  );
  const inner = 2n ** 33n + 7n;
  const pieces = inner / 2048n + 1n;
  // Outer 2, channel 4, the last piece of the run: 7 values.
  expect(lines["planes"]).toEqual([(2n * 5n + 4n) * inner + (pieces - 1n) * 2048n, 1n, 5n * inner, 7n, 3n * pieces]);
  const outer = 2n ** 32n + 5n;
  const blocks = (outer + 119n) / 120n;
  const first = (blocks - 1n) * 120n;
  expect(lines["short-runs"]).toEqual([(first * 3n + 2n) * 17n, outer - first, 51n, 17n, blocks]);
  const rows = 2n ** 31n + 1n;
  expect(lines["rows"]!.slice(0, 4)).toEqual([(rows - 1n) * 100n + 99n, 1n, 0n, 1n]);
  expect(lines["few-columns"]!.slice(0, 4)).toEqual([2n ** 36n * 6n + 5n, 1n, 0n, 3n]);
});

const EXTENTS: readonly Extent[] = [
  { outer: 3, channels: 5, inner: 2 ** 33 + 7 },
  { outer: 2 ** 22, channels: 1024, inner: 2 },
  { outer: 2 ** 33 + 1, channels: 3, inner: 1 },
  { outer: 2 ** 14, channels: 2 ** 12, inner: 196 },
];

describe.each(EXTENTS)("$outer×$channels×$inner", (extent) => {
  const traversal = traversalOf(extent);
  const room = { bytes: 2 ** 30, tileBytes: 2 ** 29, operands: 2, valueBytes: 4 };

  test.each([tileForSums, tileForElements])("WASM's tiles cover every element once: %o", (tile) => {
    const boxes = boxesOf(extent, tile(extent, traversal, room));
    const covered = boxes.reduce((sum, box) => sum + big(box.extent), 0n);
    expect(covered).toBe(big(extent));
    const { o, c, i, extent: last } = boxes.at(-1);
    expect([o + last.outer, c + last.channels, i + last.inner]).toEqual([extent.outer, extent.channels, extent.inner]);
    expect(boxes.every((box) => big(box.extent) * 4n <= BigInt(room.tileBytes))).toBe(true);
  });
});

test("the oracle's blocks begin at exact indices, of which there are as many as the control block says", () => {
  const extent = { outer: 2, channels: 2 ** 24, inner: 2 ** 11 };
  const control = { extent, traversal: Traversal.planes } as Control;
  const blocks = [...blocksOf(control, 2 ** 24 - 1)];
  expect(blocks.map(({ start }) => start)).toEqual([2 ** 35 - 2 ** 11, 2 ** 36 - 2 ** 11]);
  expect(blocks.length).toBe(blockCount(extent, Traversal.planes));
});
