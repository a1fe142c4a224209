// The native binary that this machine would use, and what its file is.
import { fileReport, type FileReport } from "../backends/native/checksum.js";
import { nativeBinary } from "../backends/native/native.js";

export interface BinaryReport extends FileReport {
  readonly libc: string | null;
  readonly path: string;
}

export function binaryReport(): BinaryReport {
  const { libc, path } = nativeBinary();
  return { libc, path, ...fileReport(path) };
}
