// The native binary's file against the release's checksums.
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { nativeBinary } from "../native.js";

/** What prebuilds/checksums.json holds: the release script writes it. */
interface Manifest {
  readonly version: string;
  readonly files: Readonly<Record<string, { readonly sha256: string; readonly bytes: number }>>;
}

export type Checksum =
  | "matches"
  | "differs"
  | "no manifest: a build of one's own"
  | "not in the manifest: a build of one's own"
  | "no binary";

export interface BinaryReport {
  readonly libc: string | null;
  readonly path: string | null;
  readonly bytes: number | null;
  readonly sha256: string | null;
  readonly checksum: Checksum;
  /** Why the file or the manifest could not be read. */
  readonly error?: string;
}

function readManifest(prebuilds: string): Manifest | null {
  const path = join(prebuilds, "checksums.json");
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Manifest) : null;
}

function compare(path: string, sha256: string, bytes: number): Checksum {
  const folder = dirname(path);
  const manifest = readManifest(dirname(folder));
  if (manifest === null) return "no manifest: a build of one's own";
  const listed = manifest.files[`${basename(folder)}/${basename(path)}`];
  if (!listed) return "not in the manifest: a build of one's own";
  return listed.sha256 === sha256 && listed.bytes === bytes ? "matches" : "differs";
}

export function binaryReport(): BinaryReport {
  const { libc, path } = nativeBinary();
  const none: BinaryReport = { libc, path, bytes: null, sha256: null, checksum: "no binary" };
  if (path === null || !existsSync(path)) return none;
  try {
    const content = readFileSync(path);
    const [sha256, bytes] = [createHash("sha256").update(content).digest("hex"), content.length];
    return { libc, path, bytes, sha256, checksum: compare(path, sha256, bytes) };
  } catch (error) {
    // A binary or a manifest that cannot be read has not been shown to be the release's.
    return { ...none, checksum: "differs", error: error instanceof Error ? error.message : String(error) };
  }
}
