// oneDNN, which onednn.cc runs. It is compiled at its first use, where the library and its headers are installed.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import type { Peer } from "./peer.js";
import { loadProgram } from "./program.js";

const source = fileURLToPath(new URL("onednn.cc", import.meta.url));
const program = fileURLToPath(new URL("../../build/bench/onednn", import.meta.url));

/** @throws Error with the compiler's first complaint. */
function compile(): void {
  if (existsSync(program) && statSync(program).mtimeMs > statSync(source).mtimeMs) return;
  mkdirSync(dirname(program), { recursive: true });
  const args = ["-O2", "-std=c++17", source, "-o", program, "-ldnnl", "-fopenmp"];
  const { status, stderr, error } = spawnSync(process.env.CXX ?? "g++", args, { encoding: "utf8" });
  if (status === 0) return;
  const reason = error?.message ?? /error: (.*)/.exec(stderr)?.[1] ?? stderr;
  throw new Error(`it does not compile: ${reason} (on Debian: apt-get install g++ libdnnl-dev)`);
}

/** With arrays at the start of a cache line, as its own, and 16 bytes behind one, as large ones of malloc are. */
export async function loadOneDnn(): Promise<Peer[]> {
  compile();
  const aligned = await loadProgram("onednn", program, ["0"]);
  return [...aligned, ...(await loadProgram("onednn, off a line", program, ["16"]))];
}
