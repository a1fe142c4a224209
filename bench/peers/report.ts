// The results as tables, in three forms: for a terminal, a page and a markdown document.
import { dimensionsOf } from "../sweep.js";
import { escape, table, type Cells } from "../../scripts/tools/page.js";
import { groupBy } from "../report/rows.js";
import { draw, markdownTable, milliseconds } from "../report/table.js";
import type { Missing } from "./load.js";
import type { PeerRow, Skipped } from "./rows.js";
import type { Factor, Outcome } from "./targets.js";

export interface Section {
  readonly title: string;
  readonly cells: Cells;
  /** Behind the cells. */
  readonly rows: readonly PeerRow[];
  readonly notes: readonly string[];
}

/** How to read the tables, one line for each matter. */
export const LEGEND: readonly string[] = [
  "All libraries take turns on the same data. Each works from its own tensors to its own tensors. Where a library takes an " +
    "output array, it is given one.",
  "ms is the median of the calls and min ms the shortest one. Threads is the number that a library was allowed to use.",
  "× native is the time divided by that of our native backend on as many threads. × arena and × wasm are the time divided " +
    "by that of our WebAssembly backend, with its arrays in an arena and with ordinary ones. Above 1, ours is faster.",
  "Off by is the largest difference from our result, divided by the largest value of that result. A library is not timed " +
    "where it exceeds 1e-4 plus 2⁻³⁰ for each value per channel.",
  "tfjs computes its backward as the gradient of its tape, which repeats the forward. tfjs-wasm-composed is the same " +
    "backward, written by hand without the tape.",
  "onnxruntime has no backward of batch normalization, so it is composed of other operations. On channels-last data, its " +
    "forward and inference are composed too, because its own operator is slower there.",
  "PyTorch and oneDNN run in processes of their own. PyTorch reuses freed memory. oneDNN writes to given arrays, which " +
    "start at a cache line of 64 bytes, or in the lines “off a line” 16 bytes behind one, where malloc puts large arrays.",
];

export function ratio(value: number | null): string {
  return value === null ? "–" : value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

const HEAD = ["op", "who", "threads", "ms", "min ms", "samples", "off by", "× native", "× arena", "× wasm"];

function lineOf(row: PeerRow): string[] {
  return [
    row.op,
    row.who,
    String(row.threads),
    milliseconds(row.medianMs),
    milliseconds(row.minMs),
    String(row.samples),
    row.error === 0 ? "0" : row.error.toExponential(0),
    ratio(row.overNative),
    ratio(row.overArena),
    ratio(row.overWasm),
  ];
}

/** One line a reason. */
export function notesOf(skipped: readonly Skipped[]): string[] {
  const distinct = (words: readonly string[]): string => [...new Set(words)].join(", ");
  return [...groupBy(skipped, ({ reason }) => reason)].map(([reason, all]) => {
    const who = distinct(all.map((one) => (one.threads > 1 ? `${one.who} on ${one.threads} threads` : one.who)));
    return `not timed, ${distinct(all.map(({ op }) => op))}: ${who}: ${reason}`;
  });
}

function titleOf(name: string, layout: string): string {
  return `${name}: ${dimensionsOf(name).join("×")} ${layout}`;
}

/** One for each shape and layout. */
export function sectionsOf(rows: readonly PeerRow[], skipped: readonly Skipped[]): Section[] {
  const key = ({ shape, layout }: { shape: string; layout: string }): string => titleOf(shape, layout);
  const left = groupBy(skipped, key);
  return [...groupBy(rows, key)].map(([title, group]) => ({
    title,
    cells: { head: HEAD, rows: group.map(lineOf) },
    rows: group,
    notes: notesOf(left.get(title) ?? []),
  }));
}

function factorText(factor: Factor | undefined): string {
  if (!factor) return "–";
  return `${ratio(factor.factor)} (${factor.shape} ${factor.layout} ${factor.op})`;
}

export function targetSection(all: readonly Outcome[]): Section {
  const rows = all.map(({ who, ours, target, factors, met }) => {
    const forward = factors.filter(({ shape, op }) => shape === "A" && op === "forward");
    const times = (layout: string): string => ratio(forward.find((factor) => factor.layout === layout)?.factor ?? null);
    return [
      ours,
      who,
      String(target),
      times("channels-first"),
      times("channels-last"),
      factorText(factors[0]),
      factorText(factors.at(-1)),
      factors.length === 0 ? "not timed" : `${met === factors.length ? "yes" : "no"}: ${met} of ${factors.length}`,
    ];
  });
  const head = ["ours", "peer", "target", "A forward first", "A forward last", "least", "most", "met"];
  return {
    title: "Targets of the WebAssembly backend: times faster on one thread",
    cells: { head, rows },
    rows: [],
    notes: [],
  };
}

export function missingNotes(missing: readonly Missing[]): string[] {
  return missing.map(({ peer, reason }) => `${peer} is missing: ${reason}`);
}

export function asText({ title, cells, notes }: Section): string {
  return [title, draw(cells), ...notes].join("\n");
}

export function bullets(lines: readonly string[]): string {
  return lines.map((line) => `- ${line}`).join("\n");
}

export function asMarkdown({ title, cells, notes }: Section): string {
  return [`## ${title}`, markdownTable(cells), bullets(notes)].filter(Boolean).join("\n\n");
}

export function asHtml({ title, cells, notes }: Section, figures: string): string {
  const lines = notes.map((note) => `<p class="note">${escape(note)}</p>`);
  return [`<h2>${escape(title)}</h2>`, figures, table(cells), ...lines].join("\n");
}
