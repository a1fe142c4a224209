// A report for people.
import type { BackendStatus } from "../backends/backend.js";
import { columns } from "./columns.js";
import type { Machine, Report } from "./report.js";

export function machineLine({ runtime, runtimeVersion, platform, arch, libc, cpu }: Machine): string {
  return `${runtime} ${runtimeVersion}, ${platform} ${arch}${libc === null ? "" : ` ${libc}`}, ${cpu}`;
}

function backendRow({ name, status, reason, lacks, selfCheckMs }: BackendStatus): string[] {
  const remarks = [
    reason,
    lacks && `lacks ${lacks.join(", ")}`,
    selfCheckMs !== undefined && `self-check ${selfCheckMs.toFixed(1)} ms`,
  ];
  return [name, status, remarks.filter(Boolean).join("; ")];
}

function binaryLines({ path, bytes, sha256, checksum, error }: Report["binary"]): string[] {
  if (path === null) return ["none for this platform"];
  const size = bytes === null ? "" : `, ${bytes} bytes`;
  return [
    `${path}${size}`,
    ...(sha256 === null ? [] : [`sha256 ${sha256}`]),
    error === undefined ? checksum : `${checksum}: ${error}`,
  ];
}

function verificationLines(verification: NonNullable<Report["verification"]>): string[] {
  const rows = verification.map(({ backend, passed, failed }) => [backend, `${passed} passed`, `${failed} failed`]);
  const differences = verification.flatMap(({ backend, differences }) =>
    differences.slice(0, 10).map((difference) => `${backend}: ${difference}`),
  );
  return [...columns(rows, [1, 2]), ...differences];
}

export function reportText(report: Report): string {
  const { threads, variables, verification, advice } = report;
  const sections: [title: string, lines: string[]][] = [
    [`batchnorm ${report.version}, contract ${report.contractVersion}`, [machineLine(report.machine)]],
    ["backends", columns(report.backends.map(backendRow))],
    ["threads", [threads.count === null ? "none: see below" : `${threads.count}, from ${threads.from}`]],
    ["variables", Object.entries(variables).map(([name, value]) => `${name}=${value}`)],
    ["native binary", binaryLines(report.binary)],
    ["verification", verification === null ? [] : verificationLines(verification)],
    ["what to do", advice.flatMap(({ about, text }) => [about, `  → ${text}`])],
  ];
  const filled = sections.filter(([, lines]) => lines.length > 0);
  const text = filled.map(([title, lines]) => [title, ...lines.map((line) => `  ${line}`)].join("\n")).join("\n");
  return `${text}\n${report.ok ? "all is well" : "something is wrong"}\n`;
}
