// The native binary's file against the release's checksums.
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { messageOf } from "../base/errors.js";
import { nativeBinary } from "../backends/native/native.js";

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
  | "not readable"
  | "no binary";

export interface BinaryReport {
  readonly libc: string | null;
  readonly path: string;
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

/** A manifest that cannot be read has not shown the file to be the release's. */
function compare(path: string, sha256: string, bytes: number): Pick<BinaryReport, "checksum" | "error"> {
  const folder = dirname(path);
  try {
    const manifest = readManifest(dirname(folder));
    if (manifest === null) return { checksum: "no manifest: a build of one's own" };
    const listed = manifest.files[`${basename(folder)}/${basename(path)}`];
    if (!listed) return { checksum: "not in the manifest: a build of one's own" };
    return { checksum: listed.sha256 === sha256 && listed.bytes === bytes ? "matches" : "differs" };
  } catch (error) {
    return { checksum: "differs", error: `checksums.json: ${messageOf(error)}` };
  }
}

export function binaryReport(): BinaryReport {
  const { libc, path } = nativeBinary();
  const none: BinaryReport = { libc, path, bytes: null, sha256: null, checksum: "no binary" };
  try {
    if (!existsSync(path)) return none;
    const content = readFileSync(path);
    const [sha256, bytes] = [createHash("sha256").update(content).digest("hex"), content.length];
    return { libc, path, bytes, sha256, ...compare(path, sha256, bytes) };
  } catch (error) {
    return { ...none, checksum: "not readable", error: messageOf(error) };
  }
}
