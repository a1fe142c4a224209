// PyTorch, which pytorch.py runs.
import { fileURLToPath } from "node:url";
import type { Peer } from "./peer.js";
import { loadProgram } from "./program.js";

const program = fileURLToPath(new URL("pytorch.py", import.meta.url));

/** By the first interpreter that has torch. @throws Error with the reason of the last one. */
export async function loadTorch(): Promise<Peer[]> {
  try {
    return await loadProgram("pytorch", "python3", [program]);
  } catch {
    // The first may be a version manager's, without Debian's packages.
    return loadProgram("pytorch", "/usr/bin/python3", [program]);
  }
}
