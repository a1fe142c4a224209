// prebuilds/checksums.json: what `npx batchnorm doctor` compares the binaries with.
import { createHash } from "node:crypto";

/** @param {Uint8Array} bytes */
export const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

/**
 * The manifest's text, files in order of their names.
 * @param {string} version
 * @param {ReadonlyMap<string, Uint8Array>} binaries By their names under prebuilds/.
 */
export function manifestOf(version, binaries) {
  const names = [...binaries.keys()].sort();
  const entries = names.map((name) => {
    const bytes = binaries.get(name);
    return [name, { sha256: sha256(bytes), bytes: bytes.length }];
  });
  return `${JSON.stringify({ version, files: Object.fromEntries(entries) }, null, 2)}\n`;
}
