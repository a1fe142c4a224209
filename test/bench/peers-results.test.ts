// The comparison with peers: options, ratios, targets, tables, and a short run of the command.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { OptionError } from "../../scripts/tools/command-line.js";
import { bestChart, bestPeers } from "../../bench/peers/best.js";
import { chartOf } from "../../bench/peers/chart.js";
import { parsePeerOptions, PEERS, planPeers } from "../../bench/peers/options.js";
import { OURS } from "../../bench/peers/ours.js";
import { asMarkdown, sectionsOf, targetSection } from "../../bench/peers/report.js";
import { timeInTurns } from "../../bench/peers/rounds.js";
import { meanFactor, summarySection } from "../../bench/peers/summary.js";
import { timed, withRatios, type PeerRow, type Timed } from "../../bench/peers/rows.js";
import { outcomes } from "../../bench/peers/targets.js";
import { folderOfTests } from "../support/folders.js";

function row(who: string, ms: number, changed: Partial<Timed> = {}): Timed {
  const id = { shape: "A", layout: "channels-first", op: "forward", who, version: null, threads: 1 } as const;
  return { ...timed(id, [ms], 0), ...changed };
}

const ROWS: readonly PeerRow[] = withRatios([
  row(OURS.native, 2),
  row(OURS.native, 1, { threads: 2 }),
  row(OURS.arena, 4),
  row(OURS.wasm, 8),
  row("plain-js", 24),
  row("pytorch", 6),
  row("pytorch", 3, { threads: 2 }),
]);

describe("options", () => {
  test("defaults, values and help", () => {
    expect(parsePeerOptions([])).toMatchObject({ selection: {}, peers: PEERS, quick: false, json: null, html: null });
    expect(parsePeerOptions(["--peers", "pytorch,plain-js", "--markdown=a.md"])).toMatchObject({
      peers: ["plain-js", "pytorch"],
      markdown: "a.md",
    });
    expect(parsePeerOptions(["--quick"])!.seconds).toBeLessThan(parsePeerOptions([])!.seconds);
    expect(parsePeerOptions(["--quiet-check"])).toMatchObject({ quietCheck: true });
    expect(parsePeerOptions(["--help"])).toBeNull();
  });

  test.each([
    [["--peers", "numpy"], /^--peers must be of plain-js, .*, got "numpy"$/],
    [["--only", "F,wasm"], /^--only must be of A, .*, got "wasm"$/],
    [["--only", "fixed"], /got "fixed"$/],
    [["--html", ""], /^--html must name a file$/],
  ])("%j", (args, message) => {
    expect(() => parsePeerOptions(args)).toThrow(OptionError);
    expect(() => parsePeerOptions(args)).toThrow(message);
  });

  test("nine shapes, others by name; D is inference", () => {
    const groups = planPeers({ selection: {}, resnet50: false });
    expect([...new Set(groups.map(({ shape }) => shape.name))].join("")).toBe("ABCDEFKLM");
    expect(groups.find(({ shape }) => shape.name === "D")!.operations).toEqual(["inference"]);
    expect(planPeers(parsePeerOptions(["--only", "H,channels-last,backward"])!)).toMatchObject([
      { shape: { name: "H" }, layout: "channels-last", operations: ["backward"] },
    ]);
  });
});

test("ratios to ours: native on as many threads, WebAssembly on one", () => {
  const find = (who: string, threads: number): PeerRow =>
    ROWS.find((one) => one.who === who && one.threads === threads)!;
  expect(find("pytorch", 1)).toMatchObject({ overNative: 3, overArena: 1.5, overWasm: 0.75 });
  expect(find("pytorch", 2)).toMatchObject({ overNative: 3, overArena: 0.75 });
  expect(withRatios([row("plain-js", 1)])[0]).toMatchObject({ overNative: null, overArena: null, overWasm: null });
});

test("targets: factors of all cases, the least first, and how many are met", () => {
  const slow = withRatios([row(OURS.arena, 1, { shape: "B" }), row("plain-js", 4, { shape: "B" })]);
  const all = outcomes([...ROWS, ...slow]);
  const of = (who: string, ours: string): (typeof all)[number] =>
    all.find((one) => one.who === who && one.ours === ours)!;
  expect(of("plain-js", OURS.arena)).toMatchObject({ target: 5, met: 1, factors: [{ shape: "B" }, { factor: 6 }] });
  expect(of("plain-js", OURS.wasm)).toMatchObject({ met: 0, factors: [{ factor: 3 }] });
  expect(of("pytorch", OURS.arena)).toMatchObject({ target: 1, met: 1, factors: [{ factor: 1.5 }] });
  expect(of("tfjs-wasm", OURS.arena).factors).toEqual([]);
  const met = targetSection(all).cells.rows.map((cells) => cells.at(-1));
  expect(met).toContain("no: 1 of 2");
  expect(met).toContain("yes: 1 of 1");
  expect(met).toContain("not timed");
});

test("the summary: ours first, times of one tensor on one thread, a mean over all cases", () => {
  const more = withRatios([row(OURS.native, 1, { shape: "B" }), row("plain-js", 3, { shape: "B" })]);
  const { cells } = summarySection([...ROWS, ...more]);
  expect(cells.head).toHaveLength(8);
  expect(cells.rows.map(([who]) => who)).toEqual([OURS.native, OURS.arena, OURS.wasm, "pytorch", "plain-js"]);
  expect(cells.rows[4]).toEqual(["plain-js", "24.0", "–", "–", "–", "–", "–", "6.0"]);
  expect(meanFactor(withRatios([row("plain-js", 3)]))).toBeNull();
});

test("tables and charts of what was timed; a line for what was not", () => {
  const skipped = { ...row("tfjs-cpu", 1), reason: "its batchNorm takes channels last" };
  const [section] = sectionsOf(ROWS, [skipped, { ...skipped, op: "backward" }]);
  const text = asMarkdown(section!);
  expect(text).toContain("## A: 32×64×56×56 channels-first");
  expect(text).toContain("| forward | plain-js | 1 | 24.0 | 24.0 | 1 | 0 | 12.0 | 6.00 | 3.00 |");
  expect(text).toContain("- not timed, forward, backward: tfjs-cpu: its batchNorm takes channels last");
  expect(chartOf(ROWS)).toContain("pytorch, 2 threads");
  expect(chartOf(ROWS.filter(({ who }) => who === OURS.native))).toBe("");
});

test("the fastest peer of each case on one thread, where ours is best first; a chart of them", () => {
  const more = withRatios([
    row(OURS.native, 2, { op: "backward" }),
    row("onednn", 1, { op: "backward" }),
    row("pytorch", 3, { op: "backward" }),
    row("pytorch", 0.5, { op: "backward", threads: 2 }),
  ]);
  const alone = withRatios([row("plain-js", 1, { op: "inference" })]);
  const cases = [...more, ...alone, ...ROWS];
  expect(bestPeers(cases)).toEqual([
    { name: "A forward, channels-first", peer: "pytorch", ratio: 3 },
    { name: "A backward, channels-first", peer: "onednn", ratio: 0.5 },
  ]);
  for (const text of ["A backward, channels-first", "onednn", "×3.0", "×0.50"])
    expect(bestChart(cases)).toContain(text);
  expect(bestChart(alone)).toBeNull();
});

test("turns: each as often as there are rounds, but what is too slow has one call", async () => {
  const calls: string[] = [];
  const entrant = (name: string, ms: number): Parameters<typeof timeInTurns>[0][number] => ({
    task: { sample: () => (calls.push(name), ms), result: () => ({ out: new Float32Array() }) },
    spins: false,
    firstMs: ms,
  });
  const bounds = { seconds: 0.001, most: 10, warmUpMs: 0, collect: null };
  expect(await timeInTurns([entrant("a", 100), entrant("b", 400), entrant("c", 3000)], bounds)).toEqual([
    [100, 100, 100],
    [400],
    [3000],
  ]);
  expect(calls).toEqual(["a", "b", "a", "a", "a"]);
});

const main = fileURLToPath(new URL("../../bench/peers/main.ts", import.meta.url));
const folder = folderOfTests();

test("a short run writes rows, a page and a document", async () => {
  const files = ["json", "html", "markdown"].map((kind) => [`--${kind}`, join(folder, kind)]);
  const args = ["--seconds", "1", "--only", "F,channels-last,inference", "--peers", "plain-js", ...files.flat()];
  const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", main, ...args]);
  expect(stdout).toContain("F: 8×16×8×8 channels-last");
  const { rows } = JSON.parse(readFileSync(join(folder, "json"), "utf8")) as { rows: PeerRow[] };
  expect(rows.map(({ who }) => who)).toContain("plain-js");
  for (const { op, medianMs, minMs, error } of rows) {
    expect(op).toBe("inference");
    expect(medianMs).toBeGreaterThanOrEqual(minMs);
    expect(error).toBeLessThan(1e-4);
  }
  expect(readFileSync(join(folder, "html"), "utf8")).toContain("<svg");
  expect(readFileSync(join(folder, "peers.svg"), "utf8")).toContain("F inference, channels-last");
  expect(readFileSync(join(folder, "markdown"), "utf8")).toContain("## F: 8×16×8×8 channels-last");
}, 60_000);
