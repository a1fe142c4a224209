// From samples to rows, to the table, to the comparison with an earlier run.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { measure } from "../../bench/measure/benny.js";
import { compareRows, drawComparison } from "../../bench/report/compare.js";
import { median, mergeLaunches, rowOf, worst, type Row, type RowId } from "../../bench/report/rows.js";
import { readResults } from "../../bench/report/results.js";
import { drawSections, shapeSections } from "../../bench/report/table.js";
import { folderOfTests } from "../support/folders.js";

const ID: RowId = {
  op: "forward",
  shape: "F",
  layout: "channels-first",
  dtype: "float32",
  variant: "plain",
  backend: "wasm",
  threads: 1,
  memory: "ordinary",
  data: "gaussian",
  out: "given",
};
const BYTES = 8192;

function row(ratio: number, changed: Partial<RowId> = {}): Row {
  return rowOf({ ...ID, ...changed }, [ratio], BYTES, [1]);
}

test("a row: median, least, both tensors' bytes by the median, ratio to the copy's median", () => {
  expect(rowOf(ID, [4, 2, 9], BYTES, [1, 2, 3, 4])).toEqual({
    ...ID,
    medianMs: 4,
    minMs: 2,
    gbPerSecond: (2 * BYTES) / 4e6,
    copyRatio: 4 / 2.5,
  });
  const { gbPerSecond } = rowOf({ ...ID, op: "backward" }, [4], BYTES, [1]);
  expect(gbPerSecond).toBe((3 * BYTES) / 4e6);
});

test("the median leaves its samples as they are", () => {
  const samples = [3, 1, 2];
  expect(median(samples)).toBe(2);
  expect(samples).toEqual([3, 1, 2]);
});

test("launches merge into the median of their medians and ratios", () => {
  const launches = [1, 5, 2].map((ratio) => [row(ratio), row(10 * ratio, { out: "fresh" })]);
  const [given, fresh] = mergeLaunches(launches);
  expect(given).toEqual({ ...row(2), minMs: 1 });
  expect(fresh).toMatchObject({ out: "fresh", copyRatio: 20, minMs: 10, gbPerSecond: row(20).gbPerSecond });
});

test("the figure is of the data with the worst ratio", () => {
  const rows = [row(2), row(3, { data: "smooth" }), row(1, { data: "relu" })];
  expect(worst(rows).data).toBe("smooth");
  const fresh = [row(7, { out: "fresh" }), row(8, { data: "relu", out: "fresh" })];
  const table = drawSections(shapeSections([...rows, ...fresh]));
  expect(table).toContain("F: 8×16×8×8 channels-first");
  const line = table.split("\n").find((text) => text.includes("wasm"))!;
  const cells = line.split("│").map((cell) => cell.trim());
  expect(cells.slice(1, -1)).toEqual(["forward", "wasm", "1", "3.00", "3.00", "0.0", "3.00", "smooth", "8.00", "8.00"]);
});

describe("--compare", () => {
  const folder = folderOfTests();
  const before = [row(2), row(4, { data: "smooth" }), row(3, { op: "backward" }), row(1, { op: "copy" })];
  const after = [row(1), row(2, { data: "relu" }), row(5, { op: "inference" }), row(9, { op: "copy" })];

  test("worst against worst, and what has no counterpart", () => {
    const comparison = compareRows(before, after);
    const figure = "F channels-first float32 forward wasm 1 ordinary given";
    expect(comparison).toEqual({
      changes: [{ figure, before: 4, after: 2 }],
      onlyBefore: ["F channels-first float32 backward wasm 1 ordinary given"],
      onlyAfter: ["F channels-first float32 inference wasm 1 ordinary given"],
    });
    const text = drawComparison(comparison, "old.json");
    expect(text).toMatch(/4\.00 *│ 2\.00 *│ 0\.50/);
    expect(text).toContain("Median of 1 quotients: 0.500");
    expect(text).toContain("1 only in old.json: F channels-first float32 backward wasm 1 ordinary given");
    expect(text).toContain("1 only in this run: F channels-first float32 inference wasm 1 ordinary given");
  });

  test("nothing in common", () => {
    expect(drawComparison(compareRows(before, []), "old.json")).toMatch(/^No figure is in both runs\.\n2 only in old/);
  });

  test.each(["{", "null", '{ "rows": 1 }', '{ "rows": [null] }', '{ "rows": [{ "op": "forward" }] }'])(
    "a file of %s is refused",
    (content) => {
      const file = join(folder, "old.json");
      writeFileSync(file, content);
      expect(() => readResults(file)).toThrow(`${file} holds no benchmark: `);
    },
  );

  test("a file that is missing is refused, one of rows is read", () => {
    expect(() => readResults(join(folder, "none.json"))).toThrow("none.json holds no benchmark: ENOENT");
    const file = join(folder, "good.json");
    writeFileSync(file, JSON.stringify({ rows: before }));
    expect(readResults(file).rows).toEqual(before);
  });

  test("rows of before there were arenas and variants are of ordinary memory and plain; an arena is a figure of its own", () => {
    const file = join(folder, "older.json");
    const older = before.map((one) => ({ ...one, memory: undefined, variant: undefined }));
    writeFileSync(file, JSON.stringify({ rows: older }));
    expect(readResults(file).rows).toEqual(before);
    const both = [...before, row(1, { memory: "arena" })];
    expect(compareRows(before, both).onlyAfter).toEqual(["F channels-first float32 forward wasm 1 arena given"]);
    expect(mergeLaunches([both, both]).map(({ memory }) => memory)).toEqual(both.map(({ memory }) => memory));
    expect(drawSections(shapeSections(both))).toContain("wasm, arena");
  });
});

test("rounds: at least the least, samples in milliseconds, the console left as it was", async () => {
  const { log } = console;
  const wait = (): void => {
    const end = performance.now() + 3;
    while (performance.now() < end);
  };
  let [prepared, rare] = [0, 0];
  const cases = new Map([
    ["wait", wait],
    ["rare", () => void (rare = prepared)],
  ]);
  const prepare = (): void => void prepared++;
  const times = { seconds: 0, least: 2, most: 5, secondsPerCase: 0.001, warmUpSeconds: 0 };
  const samples = await measure(cases, { ...times, once: new Set(["rare"]), prepare });
  expect({ prepared, rare }).toEqual({ prepared: 2, rare: 1 });
  expect(samples.get("wait")!.length).toBeGreaterThanOrEqual(2);
  expect(Math.min(...samples.get("wait")!)).toBeGreaterThanOrEqual(2.9);
  expect(console.log).toBe(log);
});
