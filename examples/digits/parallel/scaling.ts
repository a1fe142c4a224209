// Draws steps per second over ranks: `npx tsx examples/digits/parallel/scaling.ts --out docs/ranks.svg`. It runs `npm start`'s
// training on 1, 2 and 4 ranks, on worker threads and, where mpirun and the addon are there, of MPI, in turns.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import type { LineSeriesOption } from "echarts";
import { integer, readArguments, text } from "../../../scripts/tools/command-line.js";
import { renderChart } from "../../../scripts/tools/page.js";
import { medianOf } from "../../../src/cli/bench-run.js";
import type { RankResult } from "./rank.js";

const RANKS = [1, 2, 4];
const main = fileURLToPath(new URL("../main.ts", import.meta.url));

interface Series {
  readonly name: string;
  readonly color: string;
  readonly command: (ranks: number) => readonly string[];
}

const NODE = [process.execPath, "--import", "tsx", main];

const SERIES: readonly Series[] = [
  {
    name: "worker threads",
    color: "#1f5fb4",
    command: (ranks) => [...NODE, "--group", "workers", "--ranks", `${ranks}`],
  },
  {
    name: "MPI",
    color: "#b4451f",
    command: (ranks) => [
      ...["mpirun.openmpi", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-n", `${ranks}`],
      ...[...NODE, "--group", "mpi"],
    ],
  },
];

interface Measured {
  readonly series: Series;
  readonly ranks: number;
  readonly stepsPerSecond: number;
}

function measure(series: Series, ranks: number, options: readonly string[]): RankResult {
  const [command, ...args] = [...series.command(ranks), "--json", ...options] as [string, ...string[]];
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: status ${status}\n${stderr}`);
  return JSON.parse(stdout) as RankResult;
}

/** Medians of rounds, in each of which every series and every number of ranks has its turn. */
function measureAll(rounds: number, options: readonly string[]): Measured[] {
  const points = SERIES.flatMap((series) => RANKS.map((ranks) => ({ series, ranks, speeds: [] as number[] })));
  const hashes = new Map<number, string>();
  for (let round = 0; round < rounds; round++) {
    for (const { series, ranks, speeds } of points) {
      const { stepsPerSecond, hash } = measure(series, ranks, options);
      if ((hashes.get(ranks) ?? hash) !== hash) throw new Error(`${ranks} ranks end with different parameters`);
      hashes.set(ranks, hash);
      speeds.push(stepsPerSecond);
    }
  }
  return points.map(({ series, ranks, speeds }) => ({ series, ranks, stepsPerSecond: medianOf(speeds) }));
}

function lines(measured: readonly Measured[]): LineSeriesOption[] {
  return SERIES.map((series) => ({
    type: "line",
    name: series.name,
    color: series.color,
    symbol: "circle",
    symbolSize: 9,
    lineStyle: { width: 2.5 },
    data: measured
      .filter((one) => one.series === series)
      .map(({ ranks, stepsPerSecond }) => [`${ranks}`, stepsPerSecond]),
  }));
}

function chart(measured: readonly Measured[], title: string): string {
  return renderChart(
    {
      backgroundColor: "#fff",
      title: { text: title, left: 70, top: 8, textStyle: { fontSize: 13, fontFamily: "sans-serif" } },
      // Placed one by one: without a browser ECharts can only guess how wide text is.
      legend: SERIES.map(({ name }, i) => ({ data: [name], left: 620 + 150 * i, top: 8, padding: 0 })),
      grid: { left: 70, right: 40, top: 50, bottom: 50 },
      xAxis: { type: "category", data: RANKS.map(String), name: "ranks", nameLocation: "middle", nameGap: 30 },
      yAxis: { type: "value", min: 0, name: "steps per second", nameLocation: "middle", nameGap: 45 },
      series: lines(measured),
    },
    320,
  );
}

const values = readArguments(process.argv.slice(2), { out: text, rounds: text, steps: text, batch: text });
const { out = "report/ranks.svg", rounds = "3", steps = "100", batch = "480" } = values;
const measured = measureAll(integer("rounds", rounds, 1, 100), ["--steps", steps, "--batch", batch]);
const cores = cpus();
writeFileSync(
  out,
  chart(measured, `Mini-batches of ${batch} digits, ${cores.length} cores (${cores[0]?.model.trim()})`),
);
for (const { series, ranks, stepsPerSecond } of measured)
  console.log(`${series.name}, ${ranks} ranks: ${stepsPerSecond.toFixed(2)} steps per second`);
