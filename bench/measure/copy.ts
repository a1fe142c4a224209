// What times are compared with: copies of x to y, a pass that reads y, and floors of forward and backward. The addon
// that does them natively is built at its first use, in build/bench, and is no part of the package.
import { cpSync, existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compileAddon } from "../../scripts/build/native.mjs";

type CopyFunction = (x: Float32Array, y: Float32Array, threads: number) => void;
type PassesFunction = (
  x: Float32Array,
  dy: Float32Array | null,
  out: Float32Array,
  outer: number,
  channels: number,
  inner: number,
  threads: number,
) => number;

/** Each on a number of threads, a contiguous slice a thread. */
export interface Copies {
  /** libc's memcpy. */
  readonly copy: CopyFunction;
  /** With stores that bypass the caches; absent where the CPU has no such instruction in reach. */
  readonly streamCopy?: CopyFunction;
  /** The sum of y: what the next reader of y pays. */
  readonly read?: (y: Float32Array, threads: number) => number;
  /** Reads and writes what forward does, or with dy backward, and computes next to nothing. */
  readonly passes?: PassesFunction;
  /** With stores that bypass the caches. */
  readonly streamPasses?: PassesFunction;
  /** Why `copy` is y.set(x), on one thread, instead. */
  readonly missing?: string;
}

const source = fileURLToPath(new URL("../native", import.meta.url));
const root = fileURLToPath(new URL("../../build/bench", import.meta.url));

function isFresh(binary: string): boolean {
  if (!existsSync(binary)) return false;
  const built = statSync(binary).mtimeMs;
  return readdirSync(source).every((file) => statSync(join(source, file)).mtimeMs < built);
}

export function setCopy(x: Float32Array, y: Float32Array): void {
  y.set(x);
}

/** Builds the addon where it is missing or older than its source. @throws Error with the compiler's output. */
export function loadCopies(): Copies {
  let path = join(root, "build", "Release", "bench.node");
  if (!isFresh(path)) {
    mkdirSync(root, { recursive: true });
    cpSync(source, root, { recursive: true });
    const compiled = compileAddon({ target: "bench", quiet: true, root });
    if (!compiled.built) return { copy: setCopy, missing: compiled.reason };
    path = compiled.path;
  }
  return createRequire(import.meta.url)(path) as Copies;
}
