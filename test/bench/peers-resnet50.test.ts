// The layers of ResNet-50, and the table of what they take together.
import { expect, test } from "vitest";
import { parsePeerOptions, planPeers, type PeerGroup } from "../../bench/peers/options.js";
import { OURS } from "../../bench/peers/ours.js";
import { isLayer, LAYERS, resnetSection } from "../../bench/peers/resnet50.js";
import { sectionsOf } from "../../bench/peers/report.js";
import { timed, withRatios, type PeerRow } from "../../bench/peers/rows.js";

/** As torchvision builds it: bottlenecks of 1×1, 3×3 with the stride, 1×1, and a shortcut in a stage's first. */
function network(): Map<string, number> {
  const counts = new Map<string, number>();
  const add = (channels: number, size: number): void => {
    const name = [32, channels, size, size].join("×");
    counts.set(name, (counts.get(name) ?? 0) + 1);
  };
  add(64, 112);
  let size = 56;
  for (const [width, blocks, stride] of [
    [64, 3, 1],
    [128, 4, 2],
    [256, 6, 2],
    [512, 3, 2],
  ] as const) {
    for (let block = 0; block < blocks; block++) {
      add(width, size);
      if (block === 0) size /= stride;
      add(width, size);
      add(4 * width, size);
      if (block === 0) add(4 * width, size);
    }
  }
  return counts;
}

test("the layers are the architecture's 53", () => {
  expect(new Map(LAYERS.map(({ name, count }) => [name, count]))).toEqual(network());
  expect(LAYERS.reduce((sum, { count }) => sum + count, 0)).toBe(53);
  expect([isLayer("32×64×56×56"), isLayer("A")]).toEqual([true, false]);
});

test("--only resnet50 is the layers alone, in both layouts; shapes that are named come first", () => {
  const plan = (only: string): PeerGroup[] => planPeers(parsePeerOptions(["--only", only])!);
  expect(plan("resnet50")).toHaveLength(24);
  expect(plan("resnet50").every(({ shape, operations }) => isLayer(shape.name) && operations.length === 2)).toBe(true);
  expect(
    plan("resnet50,F")
      .map(({ shape }) => shape.name)
      .slice(0, 3),
  ).toEqual(["F", "F", LAYERS[0]!.name]);
  expect(plan("resnet50,backward,channels-last")).toHaveLength(12);
});

/** Of all layers: a forward takes ms, a backward twice that. */
function rowsOf(who: string, ms: number, threads = 1): PeerRow[] {
  return LAYERS.flatMap(({ name: shape, operations }) =>
    withRatios(
      operations.map((op) => {
        const id = { shape, layout: "channels-first", op, who, version: null, threads };
        return timed(id, [op === "forward" ? ms : 2 * ms], 0);
      }),
    ),
  );
}

test("each shape counts as often as it occurs; a sum that lacks one is none", () => {
  const partly = rowsOf("tfjs-wasm", 1).filter(({ op, shape }) => op === "forward" || shape !== LAYERS[3]!.name);
  const skipped = { ...partly[0]!, who: "tfjs-cpu", reason: "takes seconds" };
  const rows = [...rowsOf(OURS.native, 1), ...rowsOf("pytorch", 2), ...rowsOf("pytorch", 1, 2), ...partly];
  const { cells, notes } = resnetSection(rows, [skipped])!;
  expect(cells.head).toEqual([
    "",
    "threads",
    ...["forward", "backward", "both", "× native"].map((what) => `${what}, channels-first`),
  ]);
  expect(cells.rows).toEqual([
    [OURS.native, "1", "53.0", "106", "159", "1.00"],
    ["pytorch", "1", "106", "212", "318", "2.00"],
    ["pytorch", "2", "53.0", "106", "159", "–"],
    ["tfjs-wasm", "1", "53.0", "–", "–", "–"],
  ]);
  expect(notes[1]).toContain("not timed, forward: tfjs-cpu: takes seconds");
  const lettered = { ...rows[0]!, shape: "A" };
  expect(resnetSection([lettered], [])).toBeNull();
  expect(sectionsOf([lettered], [skipped])).toMatchObject([{ title: "A: 32×64×56×56 channels-first", notes: [] }]);
});
