// batchnorm bench: how fast the backends are here, beside copying the tensor.
import type { BackendName } from "../backends/candidates.js";
import { nativeBinary } from "../backends/native/native.js";
import { threadsFor } from "../backends/threads.js";
import { UsageError, readArguments } from "./arguments.js";
import { runBench, type Result, type Row } from "./bench-run.js";
import { columns } from "./columns.js";
import { machineLine } from "./doctor-text.js";
import { clearProgress, showProgress } from "./progress.js";
import { machine } from "./report.js";
import { ExitCode } from "./usage.js";
import { packageVersion } from "./version.js";

const DEFAULT_SECONDS = 30;

function secondsOf(text: string | undefined): number {
  if (text === undefined) return DEFAULT_SECONDS;
  const seconds = Number(text);
  if (!(seconds > 0 && seconds <= 3600))
    throw new UsageError(`--seconds expected a positive number up to 3600, got "${text}"`);
  return seconds;
}

const milliseconds = (ms: number): string => (ms < 0.1 ? ms.toFixed(4) : ms < 10 ? ms.toFixed(2) : ms.toFixed(1));

function tableRow({ shape, layout, operation, copyMs, times }: Row, names: readonly BackendName[]): string[] {
  const cells = names.map((name) => {
    const time = times.find(({ backend }) => backend === name);
    return time ? `${milliseconds(time.ms)} (${time.ratio.toFixed(1)}×)` : "–";
  });
  return [`${shape.join("×")} ${layout}`, operation, milliseconds(copyMs), ...cells];
}

function table(rows: readonly Row[]): string {
  const names = [...new Set(rows.flatMap(({ times }) => times.map(({ backend }) => backend)))];
  const lines = [["float32", "", "copy", ...names], ...rows.map((row) => tableRow(row, names))];
  return columns(
    lines,
    lines[0]!.map((_, i) => i).filter((i) => i >= 2),
  ).join("\n");
}

function measure(seconds: number): Result {
  try {
    return runBench(seconds, (elapsed) => showProgress(`timing: ${Math.round(elapsed)} of ${seconds} s`));
  } finally {
    clearProgress();
  }
}

export function bench(args: string[]): ExitCode {
  const { json, seconds: given } = readArguments(args, { json: { type: "boolean" }, seconds: { type: "string" } });
  const seconds = secondsOf(given);
  const threads = threadsFor(undefined);
  const here = machine(nativeBinary().libc);
  const { rounds, rows } = measure(seconds);
  // Not by console.log, which hides that it failed.
  const text = json
    ? JSON.stringify({ version: packageVersion, machine: here, threads, rounds, rows }, null, 2)
    : [
        `batchnorm ${packageVersion}, ${machineLine(here)}, up to ${threads} threads`,
        `medians of ${rounds} rounds in ms, and their ratios to copying the tensor\n`,
        table(rows),
      ].join("\n");
  process.stdout.write(`${text}\n`);
  return ExitCode.good;
}
