// The charts, the page and the figures of docs/speed.md: well-formed, with a series for everything that was timed.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { OptionError } from "../../scripts/tools/command-line.js";
import { chartsOf } from "../../bench/charts/charts.js";
import { speedUp } from "../../bench/charts/threads.js";
import { pageOf } from "../../bench/report/page.js";
import { relativeOf, relativeSections } from "../../bench/report/relatives.js";
import type { Row } from "../../bench/report/rows.js";
import { curvesOf, sizeSections } from "../../bench/report/sizes.js";
import { figuresOf, writeFigures } from "../../bench/report/speed-page.js";
import { ENVIRONMENT, madeRow } from "./rows.js";
import { OPERATIONS } from "../../bench/shapes.js";
import { folderOfTests } from "../support/folders.js";

const sweep = OPERATIONS.flatMap((op) =>
  ["1×64×16", "1×64×320", "8×64×2000"].flatMap((shape, i) => [
    madeRow({ op, shape }, 0.002 * 10 ** i),
    madeRow({ op, shape, backend: "wasm" }, 0.004 * 10 ** i),
    madeRow({ op, shape, backend: "wasm", memory: "arena" }, 0.003 * 10 ** i),
    madeRow({ op: "copy", shape, backend: "memcpy" }, 0.001 * 10 ** i),
  ]),
);
const shapes = OPERATIONS.flatMap((op) =>
  (["channels-first", "channels-last"] as const).flatMap((layout) => [
    madeRow({ op: "copy", layout, backend: "memcpy" }, 2),
    madeRow({ op: "copy", layout, backend: "memcpy", threads: 2 }, 1),
    madeRow({ op, layout }, 3, 2),
    madeRow({ op, layout, threads: 2 }, 1.5),
    madeRow({ op, layout, backend: "wasm" }, 6, 2),
    ...(op === "inference" ? [] : [madeRow({ op: `${op} floor`, layout, backend: "plain" }, 2, 2)]),
  ]),
);
const types = OPERATIONS.flatMap((op) => [
  madeRow({ op, dtype: "bfloat16" }, 2),
  madeRow({ op, variant: "weights" }, 4),
  madeRow({ op, dtype: "bfloat16", backend: "oracle" }, 9),
]);

/** Every element closed in order, and no number that is none. */
function expectWellFormed(svg: string): void {
  expect(svg).toMatch(/^<svg [^>]*viewBox/);
  expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  const open: string[] = [];
  for (const [, closing, name, empty] of svg.matchAll(/<(\/?)([a-zA-Z]+)[^>]*?(\/?)>/g)) {
    if (closing) expect(open.pop()).toBe(name);
    else if (!empty) open.push(name!);
  }
  expect(open).toEqual([]);
}

describe("charts", () => {
  const charts = new Map(chartsOf([...sweep, ...shapes, ...types]).map((chart) => [chart.name, chart.svg]));

  test.each([
    ["sizes", ["native/avx2", "wasm", "wasm, arena", "memcpy", "ns per value"]],
    ["ratios", ["native/avx2", "native/avx2, 2 threads", "wasm", "floor, one thread", "backward, channels-last"]],
    ["threads", ["2 threads", "copy, 2 threads", "inference, channels-first"]],
    ["types", ["native/avx2: bfloat16", "native/avx2: weights", "times float32"]],
  ] as const)("%s", (name, texts) => {
    const svg = charts.get(name)!;
    expectWellFormed(svg);
    for (const text of texts) expect(svg).toContain(`>${text}</text>`);
  });

  test("only of what was timed", () => {
    expect(chartsOf([])).toEqual([]);
    expect(chartsOf(sweep).map(({ name }) => name)).toEqual(["sizes"]);
    expect(chartsOf(shapes.filter(({ threads }) => threads === 1)).map(({ name }) => name)).toEqual(["ratios"]);
    expect(chartsOf(types).map(({ name }) => name)).toEqual([]);
  });
});

test("curves are ns for each value, by size", () => {
  expect(curvesOf(sweep, "forward").map(({ name }) => name)).toEqual(["native/avx2", "wasm", "wasm, arena", "memcpy"]);
  const [native] = curvesOf([...sweep].reverse(), "forward").slice(-2);
  expect(native!.points.map(([size]) => size)).toEqual([1024, 20_480, 1_024_000]);
  expect(curvesOf(sweep, "forward")[0]!.points[0]).toEqual([1024, 2000 / 1024]);
  const [section] = sizeSections(sweep);
  expect(section!.head).toEqual(["op", "values", "native/avx2", "wasm", "wasm, arena", "memcpy"]);
  expect(section!.rows[0]).toEqual(["forward", "1,024", "2.0", "3.9", "2.9", "0.98"]);
  expect(section!.rows).toHaveLength(3 * OPERATIONS.length);
});

test("the speed on several threads is relative to one on the same data, the median over the data", () => {
  const of = (data: "gaussian" | "smooth" | "relu", one: number, two: number): Row[] => [
    madeRow({ data }, one),
    madeRow({ data, threads: 2 }, two),
  ];
  const rows = [...of("gaussian", 4, 2), ...of("smooth", 9, 3), ...of("relu", 1, 1)];
  expect(speedUp(rows, 2)).toBe(2);
  expect(speedUp(rows, 4)).toBeNull();
});

test("other types stand beside plain float32 on the same data, of the same backend", () => {
  const rows = [...shapes, ...types];
  expect(relativeOf([madeRow({}, 4), madeRow({ dtype: "float16" }, 1)], "float16")).toBe(0.25);
  expect(relativeOf([madeRow({ data: "relu" }, 4), madeRow({ dtype: "float16" }, 1)], "float16")).toBeNull();
  const [section] = relativeSections(rows);
  expect(section!.head.slice(4)).toEqual(["bfloat16", "float32, weights"]);
  expect(section!.rows).toHaveLength(OPERATIONS.length);
  expect(section!.rows[0]).toEqual(["native/avx2", "A", "channels-first", "forward", "0.67", "1.33"]);
  expect(relativeSections(shapes)).toEqual([]);
});

test("the page holds charts and tables, and refers to nothing else", () => {
  const html = pageOf({ environment: ENVIRONMENT, fixed: null, rows: [...sweep, ...shapes] });
  expect(html.match(/<svg /g)).toHaveLength(3);
  expect(html).toContain("A: 32×64×56×56 channels-last float32");
  expect(html).not.toMatch(/<script|<link|(?:src|href)="(?!#)/);
});

describe("--markdown", () => {
  const results = { environment: ENVIRONMENT, fixed: null, rows: [...sweep, ...shapes, ...types] };
  const folder = folderOfTests();

  test("tables of shapes, sizes and types, each as wide as its head", () => {
    const text = figuresOf(results);
    expect(text).toContain("Machine: a CPU, 2 cores, Node 20.0.0, native/avx2.");
    expect(text).toContain("| forward | A | first | 1.00 | 3.00 | 1.50 | 1.50 | 1.50 | 6.00 | 3.00 |");
    expect(text).toContain("| forward | 1,024 | 2.0 | 3.9 | 2.9 | 0.98 |");
    const lines = text.split("\n").filter((line) => line.startsWith("|"));
    const tables = text.split("\n\n").filter((part) => part.startsWith("|"));
    expect(tables).toHaveLength(3);
    for (const table of tables) expect(new Set(table.split("\n").map((line) => line.split("|").length)).size).toBe(1);
    expect(lines.join()).not.toMatch(/NaN|undefined|Infinity/);
  });

  test("replaces what is between the marks of a page and nothing else", () => {
    const file = join(folder, "page.md");
    const page = readFileSync(new URL("../../docs/speed.md", import.meta.url), "utf8");
    writeFileSync(file, page);
    writeFigures(file, results);
    const once = readFileSync(file, "utf8");
    writeFigures(file, results);
    expect(readFileSync(file, "utf8")).toBe(once);
    expect(once).toContain(figuresOf(results));
    expect(once.slice(0, 200)).toBe(page.slice(0, 200));
    expect(once.slice(-200)).toBe(page.slice(-200));
    writeFileSync(file, "no marks");
    expect(() => writeFigures(file, results)).toThrow(OptionError);
  });
});
