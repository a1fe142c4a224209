// `npm run bench:peers`: the library beside others on the same tensors. `npm run bench:peers -- --help` lists the options.
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { OptionError } from "../../scripts/tools/command-line.js";
import { page, escape } from "../../scripts/tools/page.js";
import { checkQuiet } from "../quiet.js";
import { showProgress } from "../report/progress.js";
import { describe, here } from "../report/results.js";
import { bestChart } from "./best.js";
import { chartOf } from "./chart.js";
import { loadPeers, type Missing } from "./load.js";
import { HELP, PACKAGED, parsePeerOptions, planPeers, type PeerOptions } from "./options.js";
import { installPackages } from "./packages.js";
import type { Peer } from "./peer.js";
import { asHtml, asMarkdown, asText, bullets, LEGEND, missingNotes, sectionsOf, targetSection } from "./report.js";
import { isLayer, resnetSection } from "./resnet50.js";
import { runPeers, type Outcomes } from "./run.js";
import { summarySection } from "./summary.js";
import { outcomes } from "./targets.js";

/** Beside the document. */
const CHART = "peers.svg";
const TITLE = "Beside other libraries";
const WRITTEN =
  "This page compares the library with others on the same tensors. `npm run bench:peers` with `--markdown` writes it. The " +
  "README shows its first table. [platforms.md](platforms.md#other-libraries-on-as-many-threads) has a comparison in a browser, on " +
  "several threads.";

function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** "onnxruntime-node 1.30.0" and so on, each once. */
function versionsOf(peers: readonly Peer[]): string[] {
  return [...new Set(peers.flatMap(({ name, version }) => (version === null ? [] : `${name} ${version}`)))];
}

interface Measured {
  readonly peers: readonly Peer[];
  readonly missing: readonly Missing[];
  readonly busy: string | null;
  readonly results: Outcomes;
}

async function measure(options: PeerOptions): Promise<Measured> {
  const groups = planPeers(options);
  if (groups.length === 0) throw new OptionError("--only leaves nothing to time");
  if (options.peers.some((peer) => PACKAGED.includes(peer))) installPackages(tell);
  const busy = checkQuiet(options.quietCheck, tell);
  const { peers, missing } = await loadPeers(options.peers);
  const progress = showProgress(groups.reduce((sum, { operations }) => sum + operations.length, 0));
  try {
    return { peers, missing, busy, results: await runPeers(peers, groups, options, progress.done) };
  } finally {
    progress.stop();
    for (const { close } of peers) close?.();
  }
}

function write(file: string | null, content: () => string): void {
  if (file === null) return;
  writeFileSync(file, content());
  process.stdout.write(`${file}\n`);
}

async function run(options: PeerOptions): Promise<void> {
  const start = performance.now();
  const { peers, missing, busy, results } = await measure(options);
  const { rows, skipped } = results;
  const lettered = rows.filter(({ shape }) => !isLayer(shape));
  const targets = outcomes(lettered);
  const heads = [
    lettered.length > 0 && summarySection(lettered),
    resnetSection(rows, skipped),
    lettered.length > 0 && targetSection(targets),
  ].filter((section) => section !== null && section !== false);
  const shapes = sectionsOf(lettered, skipped);
  const sections = [...heads, ...shapes];
  const environment = here();
  const machine = `Machine and versions: ${[describe(environment), ...versionsOf(peers)].join("; ")}.`;
  const notes = [...(busy === null ? [] : [busy]), ...missingNotes(missing), ...LEGEND];
  const text = [machine, ...[...shapes, ...heads.reverse()].map(asText), notes.join("\n")].join("\n\n");
  process.stdout.write(`${text}\n${((performance.now() - start) / 1000).toFixed(0)} s\n`);
  const chart = options.markdown === null ? null : bestChart(lettered);
  if (chart !== null) write(join(dirname(options.markdown!), CHART), () => chart);
  write(options.markdown, () => {
    const picture = chart === null ? [] : [`![Time of the fastest peer by ours, on one thread](${CHART})`];
    const [first, ...tables] = sections.map(asMarkdown);
    const parts = [`# ${TITLE}`, WRITTEN, machine, first, bullets(notes), ...picture, ...tables];
    return `${parts.join("\n\n")}\n`;
  });
  write(options.html, () => {
    const paragraphs = [machine, ...notes].map((note) => `<p class="note">${escape(note)}</p>`);
    const figures = sections.map((section) => asHtml(section, chartOf(section.rows)));
    return page(TITLE, [...paragraphs, ...figures].join("\n"));
  });
  const versionList = peers.map(({ name, version, threads }) => ({ name, version, threads }));
  write(options.json, () => {
    const content = { environment, peers: versionList, missing, targets, rows, skipped };
    return `${JSON.stringify(content, null, 1)}\n`;
  });
}

try {
  const options = parsePeerOptions(process.argv.slice(2));
  if (options) await run(options);
  else process.stdout.write(HELP);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof OptionError ? 2 : 1;
}
