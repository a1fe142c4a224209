// The report: one HTML file that needs nothing else.
import { didOf } from "./claims/claim.js";
import { escape, page, table } from "../../scripts/tools/page.js";
import { FIXED } from "./settings.js";
import { verdictText, type Ran } from "./summary.js";
import { findIn, type Finding } from "./tour.js";
import type { Result } from "./train.js";
import { describe, judge, RULE } from "./verdict.js";

export interface Run {
  readonly command: string;
  readonly seeds: readonly number[];
  readonly ran: Ran;
  readonly results: readonly Result[];
  readonly findings: readonly Finding[];
  /** Names and versions of what took part. */
  readonly versions: Readonly<Record<string, string>>;
  readonly seconds: number;
}

function facts({ command, seeds, ran, results, versions, seconds }: Run): string {
  const rows = [
    ["command", command],
    ["seeds", seeds.join(", ")],
    ["trainings", `${results.length}`],
    ["the claims' settings", `fixed on ${FIXED.date}, before they were run; SHA-256 ${FIXED.sha256}`],
    ["backend", ran.backend],
    [
      "versions",
      Object.entries(versions)
        .map(([name, version]) => `${name} ${version}`)
        .join(", "),
    ],
    ["time of all", `${seconds.toFixed(0)} s`],
  ];
  const note = ran.notNative === null ? "" : `<p class="note">${escape(ran.notNative)}</p>`;
  return table({ head: [], rows }) + note;
}

function overview(findings: readonly Finding[]): string {
  return table({
    head: ["claim", "held here?", "in one sentence"],
    rows: findings.map((finding) => [finding.claim.title, verdictText(finding), finding.sentence]),
  });
}

function lines({ comparisons }: Finding): string {
  return table({
    head: ["", "without batch norm", "with batch norm", "held?"],
    rows: comparisons.map((comparison) => [
      comparison.name,
      describe(comparison.without, comparison.format),
      describe(comparison.with, comparison.format),
      judge(comparison) ?? "–",
    ]),
  });
}

function section(finding: Finding, results: readonly Result[], number: number): string {
  const { claim, comparisons, sentence } = finding;
  return `<h2 id="${claim.name}">${number}. ${escape(claim.title)}</h2>
<p class="note">${escape(claim.who)}. To run this alone: <code>npm start -- --only ${claim.name}</code></p>
<p>${escape(didOf(claim))}</p>
${lines(finding)}
<p><strong>Held here: ${verdictText(finding)}.</strong> ${escape(sentence)}</p>
${claim.show(findIn(results), comparisons)}`;
}

function nameOf({
  training: { activation, rate, batch, steps, initialStd, digits, seed, normalized },
}: Result): string {
  const std = initialStd === null ? "" : `, σ ${initialStd}`;
  return `${normalized ? "with" : "without"}, seed ${seed}: ${activation}, rate ${rate}, batch ${batch}, ${steps} steps, ${digits} digits${std}`;
}

function hashes(results: readonly Result[]): string {
  return `<details><summary>${results.length} hashes</summary>${table({
    head: ["training", "SHA-256"],
    rows: results.map((result) => [nameOf(result), result.hash]),
  })}</details>`;
}

export function renderReport(run: Run): string {
  const { results, findings } = run;
  return page(
    "What batch normalization does, measured on handwritten digits",
    `<p>Each claim of the lecture is tried in a small experiment: a network of 784–100–100–100–10 units learns handwritten
digits by plain stochastic gradient descent on softmax cross-entropy, without and with batch normalization before each
activation. Batch normalization shifts and scales what enters a unit, so that over a mini-batch it has mean 0 and standard deviation
1; a factor γ and an offset β that are learnt follow. In evaluation mode, means over many mini-batches, the running statistics, take
the place of the mini-batch's own. Both start from the same weights and see the same mini-batches. Every experiment is run with
${run.seeds.length} seeds; a number is their mean ± their standard deviation,
and “2× diverged” counts seeds.</p>
<p>${escape(RULE)} The rule and the settings were written before the experiments were run, and a claim that did not hold is
said not to hold. Small experiments prove little: what did not hold here may hold elsewhere, and the other way round.</p>
${facts(run)}
<h2>In short</h2>
${overview(findings)}
${findings.map((finding, i) => section(finding, results, i + 1)).join("\n")}
<h2>Hashes of the trained parameters</h2>
<p>SHA-256 of all weights, biases and running statistics. With the same settings and seed they are the same on every backend
and in every JavaScript engine.</p>
${hashes(results)}`,
  );
}
