// The native binary's file against the release's checksums.
import type * as NodeFs from "node:fs";
import { builtin } from "../../base/environment.js";
import { messageOf } from "../../base/errors.js";

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

export interface FileReport {
  readonly bytes: number | null;
  readonly sha256: string | null;
  readonly checksum: Checksum;
  /** Why the file or the manifest could not be read. */
  readonly error?: string;
}

/** A file that cannot be read: nothing is known of it. */
const unread = (checksum: Checksum, error?: string): FileReport => ({
  bytes: null,
  sha256: null,
  checksum,
  ...(error === undefined ? {} : { error }),
});

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;

const isManifest = (value: unknown): value is Manifest => isObject(value) && isObject(value["files"]);

function readManifest(fs: typeof NodeFs, prebuilds: string): Manifest | null {
  const path = builtin("node:path").join(prebuilds, "checksums.json");
  if (!fs.existsSync(path)) return null;
  const manifest: unknown = JSON.parse(fs.readFileSync(path, "utf8"));
  if (!isManifest(manifest)) throw new Error('it has no list "files"');
  return manifest;
}

/** A manifest that cannot be read has not shown the file to be the release's. */
function compare(path: string, sha256: string, bytes: number): Pick<FileReport, "checksum" | "error"> {
  const names = builtin("node:path");
  const folder = names.dirname(path);
  try {
    const manifest = readManifest(builtin("node:fs"), names.dirname(folder));
    if (manifest === null) return { checksum: "no manifest: a build of one's own" };
    const listed = manifest.files[`${names.basename(folder)}/${names.basename(path)}`];
    if (!listed) return { checksum: "not in the manifest: a build of one's own" };
    return { checksum: listed.sha256 === sha256 && listed.bytes === bytes ? "matches" : "differs" };
  } catch (error) {
    return { checksum: "differs", error: `checksums.json: ${messageOf(error)}` };
  }
}

/** What a binary of prebuilds/ is, by the manifest beside its folder. In Node alone. */
export function fileReport(path: string): FileReport {
  const fs = builtin("node:fs");
  try {
    if (!fs.existsSync(path)) return unread("no binary");
    // A pipe or a device may never end.
    if (!fs.statSync(path).isFile()) return unread("not readable", `${path} is not a file`);
    const content = fs.readFileSync(path);
    const sha256 = builtin("node:crypto").createHash("sha256").update(content).digest("hex");
    return { bytes: content.length, sha256, ...compare(path, sha256, content.length) };
  } catch (error) {
    return unread("not readable", messageOf(error));
  }
}
