// The findings as a table for a terminal or a log, and what batch normalization ran on.
import Table from "cli-table3";
import { BatchNorm, backends } from "batchnorm";
import { didOf } from "./claims/claim.js";
import type { Finding } from "./tour.js";
import type { BackendName } from "./training.js";
import { describe, type Comparison } from "./verdict.js";

/** What the normalization ran on. */
export interface Ran {
  readonly backend: string;
  /** Why it is not native code; null where it is. */
  readonly notNative: string | null;
}

/** Tries the backend before any training. @throws BackendUnavailableError */
export function probeBackend(backend: BackendName | undefined): Ran {
  const bn = new BatchNorm(2, backend === undefined ? {} : { backend });
  bn.forward(new Float32Array([0, 0, 1, 1]), [2, 2]);
  const name: string = bn.backend;
  return { backend: name, notNative: name.startsWith("native") ? null : whyNotNative(name) };
}

function whyNotNative(name: string): string {
  const native = backends().filter((status) => status.name.startsWith("native/"));
  const works = native.some(({ status }) => status === "available" || status === "in use");
  // The last set is the baseline of an architecture: what keeps it out keeps all native code out.
  const missing = native.find(({ reason }) => reason !== undefined)?.reason ?? "no reason given";
  const reason = works ? "another backend was asked for" : missing;
  return `Batch normalization runs on ${name}, not on native code: ${reason}`;
}

/** The verdict as it stands in tables: loud where a claim did not hold. */
export function verdictText({ verdict }: Finding): string {
  if (verdict === "one seed cannot say") return "–";
  return verdict === "no" ? "NO" : verdict;
}

const HEAD = ["", "without batch norm", "with batch norm", "held?"];
const WIDEST = 110;

/** A block for each claim: what is claimed, what was done, a line for each comparison, and what came of it. */
export function drawTable(findings: readonly Finding[], terminalWidth: number): string {
  const blocks = findings.map((finding, i) => {
    const { claim, comparisons, sentence } = finding;
    const column = (of: (comparison: Comparison) => string): string => comparisons.map(of).join("\n");
    const numbers = [
      column(({ name }) => name),
      ...(["without", "with"] as const).map((side) => column((each) => describe(each[side], each.format))),
      verdictText(finding),
    ];
    return { above: `${i + 1}. ${claim.title}. [${claim.who}]\n${didOf(claim)}`, numbers, below: `→ ${sentence}` };
  });
  // As wide as the numbers need, and what is left of the terminal goes to the first of them.
  const widths = HEAD.map((head, c) => {
    const lines = [head, ...blocks.flatMap(({ numbers }) => numbers[c]!.split("\n"))];
    return Math.max(...lines.map((line) => line.length)) + 2;
  });
  const needed = widths.reduce((sum, width) => sum + width + 1, 1);
  widths[1]! += Math.max(0, Math.min(WIDEST, terminalWidth) - needed);
  const table = new Table({ head: HEAD, colWidths: widths, wordWrap: true, style: { head: [], border: [] } });
  for (const { above, numbers, below } of blocks) {
    const [names, without, normalized, verdict] = numbers;
    // In the middle: it is about all lines.
    const middle = { content: verdict, vAlign: "center" } as const;
    table.push(
      [{ colSpan: 4, content: above }],
      [names, without, normalized, middle],
      [{ colSpan: 4, content: below }],
    );
  }
  return table.toString();
}
