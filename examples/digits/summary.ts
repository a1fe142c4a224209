// The results in words and tables, for the terminal and for the report alike.
import type { Cells } from "../../scripts/tools/page.js";
import Table from "cli-table3";
import { BatchNorm, backends } from "batchnorm";
import type { OneAtATime } from "./network/evaluate.js";
import type { BackendName, Result } from "./train.js";

/** What the normalization ran on. */
export interface Ran {
  readonly backend: string;
  readonly threads: number;
  /** Why it is not native code; null where it is. */
  readonly notNative: string | null;
}

/** Tries the backend before any training. @throws BackendUnavailableError */
export function probe(backend: BackendName | undefined): Ran {
  const bn = new BatchNorm(2, backend === undefined ? {} : { backend });
  bn.forward(new Float32Array([0, 0, 1, 1]), [2, 2]);
  const name: string = bn.backend;
  return { backend: name, threads: bn.threads, notNative: name.startsWith("native") ? null : whyNotNative(name) };
}

function whyNotNative(name: string): string {
  const native = backends().filter((status) => status.name.startsWith("native/"));
  const works = native.some(({ status }) => status === "available" || status === "in use");
  // The last set is the baseline of an architecture: what keeps it out keeps all native code out.
  const missing = native.find(({ reason }) => reason !== undefined)?.reason ?? "no reason given";
  const reason = works ? "another backend was asked for" : missing;
  return `Batch normalization runs on ${name}, not on native code: ${reason}`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(2)} s`;
}

/** Results without and with normalization, as pairs of the same rate. */
export function pairs(results: readonly Result[]): [Result, Result][] {
  return results
    .filter(({ training }) => !training.normalized)
    .flatMap((without) =>
      results
        .filter(({ training }) => training.normalized && training.rate === without.training.rate)
        .map((normalized): [Result, Result] => [without, normalized]),
    );
}

function accuracy({ points }: Result): string {
  return percent(points.at(-1)?.accuracy ?? NaN);
}

export function resultCells(results: readonly Result[], { backend, threads }: Ran): Cells {
  return {
    head: [
      "rate",
      "steps",
      "accuracy\nwithout",
      "accuracy\nwith",
      "time of\nits steps",
      "backend",
      "threads",
    ],
    rows: pairs(results).map(([without, normalized]) => [
      `${without.training.rate}`,
      `${without.training.steps}`,
      accuracy(without),
      accuracy(normalized),
      seconds(normalized.milliseconds),
      backend,
      `${threads}`,
    ]),
  };
}

export function trapCells(results: readonly Result[]): Cells {
  const row = (rate: number, statistics: string, one: OneAtATime): string[] => [
    `${rate}`,
    statistics,
    percent(one.accuracy),
    `${one.distinctAnswers}`,
    `${one.distinctOutputs}`,
  ];
  return {
    head: ["rate", "statistics", "accuracy", "different\nanswers", "different\noutputs"],
    rows: results.flatMap(({ training, trap }) =>
      trap
        ? [row(training.rate, "running", trap.running), row(training.rate, "of the one digit", trap.batchOfOne)]
        : [],
    ),
  };
}

/** The cells as a table for a terminal or a log. */
export function drawTable({ head, rows }: Cells): string {
  const table = new Table({ head: [...head], style: { head: [], border: [] } });
  for (const row of rows) table.push([...row]);
  return table.toString();
}
