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

const digits = (value: number): string => (value < 10 ? value.toPrecision(2) : String(Math.round(value)));

function speedLines({ backend, shape, forwardMs, copyMs, ratio }: NonNullable<Report["speed"]>): string[] {
  const [forward, copy] = [`${digits(forwardMs)} ms`, `${digits(copyMs)} ms`];
  return [
    `a forward of ${shape.join("×")} float32 values on ${backend}: ${forward}, ${digits(ratio)} times the ${copy} of copying them`,
  ];
}

function firstResultLines(first: NonNullable<Report["firstResult"]>): string[] {
  const rows: (readonly [what: string, ms: number])[] = [
    ["import", first.importMs],
    ["finding and loading the backend", first.loadMs],
    ["self-check", first.selfCheckMs],
    [`a new layer and a forward of ${first.shape.join("×")}`, first.forwardMs],
    [`in all, on ${first.backend}`, first.totalMs],
  ];
  return columns(
    rows.map(([what, ms]) => [what, `${ms.toFixed(1)} ms`]),
    [1],
  );
}

/** Without a checksum to compare with, a binary is as good as the compiler that made it. */
function checksumText({ checksum, error }: Report["binary"]): string {
  if (error !== undefined) return checksum === "differs" ? `not compared: ${error}` : `${checksum}: ${error}`;
  const own = "because this binary was built from source and is not a published one";
  if (checksum.startsWith("no manifest")) return `not compared: prebuilds/ has no checksums.json, ${own}`;
  if (checksum.startsWith("not in the manifest")) return `not compared: checksums.json does not list it, ${own}`;
  if (checksum === "matches") return "the checksum is that of the release";
  return checksum === "differs" ? "the checksum is not that of the release" : checksum;
}

function binaryLines(binary: Report["binary"]): string[] {
  const { path, bytes, sha256 } = binary;
  if (path === null) return ["none for this platform"];
  const size = bytes === null ? "" : `, ${bytes} bytes`;
  return [`${path}${size}`, ...(sha256 === null ? [] : [`sha256 ${sha256}`]), checksumText(binary)];
}

function verificationLines(verification: NonNullable<Report["verification"]>): string[] {
  const rows = verification.map(({ backend, passed, failed }) => [backend, `${passed} passed`, `${failed} failed`]);
  const differences = verification.flatMap(({ backend, differences }) =>
    differences.slice(0, 10).map((difference) => `${backend}: ${difference}`),
  );
  return [...columns(rows, [1, 2]), ...differences];
}

function summaryOf({ ok, advice }: Report): string {
  if (!ok) return "something is wrong";
  return advice.length === 0 ? "all is well" : "everything works; the advice above is optional";
}

export function reportText(report: Report): string {
  const { firstResult, speed, threads, variables, verification, advice } = report;
  const sections: [title: string, lines: string[]][] = [
    [`batchnorm ${report.version}, contract ${report.contractVersion}`, [machineLine(report.machine)]],
    ["backends", columns(report.backends.map(backendRow))],
    ["first result", firstResult === null ? [] : firstResultLines(firstResult)],
    ["speed", speed === null ? [] : speedLines(speed)],
    ["threads", [threads.count === null ? "none: see below" : `${threads.count}, from ${threads.from}`]],
    ["variables", Object.entries(variables).map(([name, value]) => `${name}=${value}`)],
    ["native binary", binaryLines(report.binary)],
    ["verification", verification === null ? [] : verificationLines(verification)],
    ["what to do", advice.flatMap(({ about, text }) => [about, `  → ${text}`])],
  ];
  const filled = sections.filter(([, lines]) => lines.length > 0);
  const text = filled.map(([title, lines]) => [title, ...lines.map((line) => `  ${line}`)].join("\n")).join("\n");
  return `${text}\n${summaryOf(report)}\n`;
}
