// The results as tables, in three forms: for a terminal, a page and a markdown document.
import { shapes } from "../../test/shapes.js";
import { escape, table, type Cells } from "../../scripts/page.js";
import { groupBy } from "../rows.js";
import { draw, milliseconds } from "../table.js";
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

export const LEGEND =
  `Times are medians and minima of calls in turns, from a library's own tensors to its own, outputs given where it takes ` +
  `them. × native: by the median of our native backend on as many threads; × arena and × wasm: by that of our ` +
  `WebAssembly, with arrays in its memory and with ordinary ones. Above 1 ours is faster. Every result was first compared ` +
  `with ours, to 1e-4 and 2⁻³⁰ for each of a channel's values, of the largest value; off by: how far it differs. tfjs's backward is the gradient of its tape, which repeats the ` +
  `forward; composed is the same by hand, without it. onnxruntime's backward is composed, and its forward on channels-last ` +
  `data, which are rows to it. PyTorch runs in a process of its own that keeps freed memory.`;

function ratio(value: number | null): string {
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

/** One line a peer and reason. */
function notesOf(skipped: readonly Skipped[]): string[] {
  const groups = groupBy(skipped, ({ who, reason }) => `${who}: ${reason}`);
  return [...groups].map(([text, all]) => `not timed, ${[...new Set(all.map(({ op }) => op))].join(", ")}: ${text}`);
}

function titleOf(name: string, layout: string): string {
  return `${name}: ${shapes.find((shape) => shape.name === name)!.shape.join("×")} ${layout}`;
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
  return { title: "Targets: times faster on one thread", cells: { head, rows }, rows: [], notes: [] };
}

export function missingNotes(missing: readonly Missing[]): string[] {
  return missing.map(({ peer, reason }) => `${peer} is missing: ${reason}`);
}

export function asText({ title, cells, notes }: Section): string {
  return [title, draw(cells.head, cells.rows), ...notes].join("\n");
}

export function asMarkdown({ title, cells: { head, rows }, notes }: Section): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  // Numbers to the right: columns whose first cell is one.
  const rule = head.map((_, i) => (/^[\d.–]+$/.test(rows[0]?.[i] ?? "") ? "--:" : "---"));
  const lines = [line(head), `|${rule.join("|")}|`, ...rows.map(line)];
  return [`## ${title}`, lines.join("\n"), notes.map((note) => `- ${note}`).join("\n")].filter(Boolean).join("\n\n");
}

export function asHtml({ title, cells, notes }: Section, figures: string): string {
  const lines = notes.map((note) => `<p class="note">${escape(note)}</p>`);
  return [`<h2>${escape(title)}</h2>`, figures, table(cells), ...lines].join("\n");
}
