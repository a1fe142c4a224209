// The report: one HTML file that needs nothing else.
import { accuracyChart, percentileChart } from "./charts.js";
import { escape, figure, page, table } from "../../scripts/tools/page.js";
import type { Options } from "./options.js";
import { pairs, resultCells, trapCells, type Ran } from "./summary.js";
import type { Result } from "./train.js";
import { nameOf } from "./trainings.js";

export interface Run {
  readonly command: string;
  readonly options: Options;
  readonly ran: Ran;
  readonly results: readonly Result[];
  /** Names and versions of what took part. */
  readonly versions: Readonly<Record<string, string>>;
  readonly seconds: number;
}

function facts({ command, options, ran, versions, seconds }: Run): string {
  const { steps, seed, batch, rate, activation } = options;
  const used = `steps ${steps}, seed ${seed}, mini-batch ${batch}, rate ${rate} and ten times that, ${activation} units`;
  const rows = [
    ["command", command],
    ["options", used],
    ["backend", `${ran.backend}, threads: ${ran.threads}`],
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

function percentileFigures(results: readonly Result[]): string {
  return pairs(results)
    .map((pair) =>
      figure(
        percentileChart(pair),
        `At rate ${pair[0].training.rate}, without and with batch normalization, on one scale.`,
      ),
    )
    .join("\n");
}

function hashes(results: readonly Result[]): string {
  return `<table><tbody>${results
    .map(({ training, hash }) => `<tr><td>${escape(nameOf(training))}</td><td><code>${hash}</code></td></tr>`)
    .join("\n")}</tbody></table>`;
}

export function renderReport(run: Run): string {
  const { results, ran } = run;
  return page(
    "Batch normalization on handwritten digits",
    `<p>A network of 784–100–100–100–10 units is trained on 8000 handwritten digits by plain stochastic gradient descent on
softmax cross-entropy, and tested on 2000 held-out digits, after Ioffe &amp; Szegedy (2015), section 4.1. All four
trainings start from the same weights, Gaussian values of standard deviation 1/√inputs, and see the same mini-batches;
two of them normalize before each activation. Neither the weights' spread nor the rate was searched for: the paper states
none, and 0.1, the default, is a common plain choice.</p>
${facts(run)}
<h2>Result</h2>
${table(resultCells(results, ran))}
<p class="note">Accuracy: share of the held-out digits named rightly after the last step, without and with batch
normalization. Time: all training steps of the run with batch normalization.</p>
<h2>Accuracy over training</h2>
${figure(accuracyChart(results), "Held-out accuracy over the steps. Solid: the rate; dashed: ten times the rate.")}
<h2>What one unit sees</h2>
<p>The 15th, 50th and 85th percentiles, over the held-out digits, of what enters the first unit of the last hidden layer:
how the distribution that this unit has to work with moves and spreads while the layers before it learn.</p>
${percentileFigures(results)}
<h2>A trap: batch statistics of one</h2>
<p>The trained networks with batch normalization, given the held-out digits one at a time. With the running statistics,
as evaluation mode does, each digit is judged by itself. Left in training mode, a batch of one is normalized by its own
mean and a variance of zero: every value becomes the bias, and every digit gets the same answer.</p>
${table(trapCells(results))}
<h2>Hashes of the trained parameters</h2>
<p>SHA-256 of all weights, biases and running statistics. With the same options the hashes are the same on every backend and
in every JavaScript engine.</p>
${hashes(results)}`,
  );
}
