// The findings as a table for a terminal or a log, and what batch normalization ran on.
import Table from "cli-table3";
import { BatchNorm, backends } from "batchnorm";
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

/** One side of a claim: a line for each comparison, named where there are several. */
export function sideOf(comparisons: readonly Comparison[], side: "without" | "with"): string {
  return comparisons
    .map((comparison) => {
      const text = describe(comparison[side], comparison.format);
      return comparisons.length > 1 ? `${comparison.name}: ${text}` : text;
    })
    .join("\n");
}

/** The verdict as it stands in tables: loud where a claim did not hold. */
export function verdictText({ verdict }: Finding): string {
  return verdict === "no" ? "NO" : verdict;
}

const WIDEST = 150;
const NARROWEST = 80;

/** A row for each claim, and below it what it means. */
export function drawTable(findings: readonly Finding[], terminalWidth: number): string {
  const width = Math.max(NARROWEST, Math.min(WIDEST, terminalWidth)) - 6;
  const shares = [0.24, 0.28, 0.2, 0.2, 0.08];
  const table = new Table({
    head: ["the claim, and whose", "what was done here", "without batch norm", "with batch norm", "held?"],
    colWidths: shares.map((share) => Math.floor(share * width)),
    wordWrap: true,
    style: { head: [], border: [] },
  });
  for (const finding of findings) {
    const { claim, comparisons, sentence } = finding;
    table.push(
      [
        `${claim.name}: ${claim.title}. (${claim.who})`,
        claim.did,
        sideOf(comparisons, "without"),
        sideOf(comparisons, "with"),
        verdictText(finding),
      ],
      [{ colSpan: 5, content: `→ ${sentence}` }],
    );
  }
  return table.toString();
}
