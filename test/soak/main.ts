// npm run soak: the fuzzer's calls, workers that are created and ended, arenas that are created and dropped, for as long as
// it is told; memory after each round must level off.
import { clearProgress, showProgress } from "../../src/cli/progress.js";
import { LINES, main, type Options } from "../fuzz/options.js";
import { grows, thirdsOf } from "../support/levels.js";
import { roundsFrom } from "./rounds.js";

const HELP = `Repeats the same mixture of calls, workers and arenas, and fails if memory grows.

Usage: npm run soak -- [options]

${LINES}
Memory is the most of the last third of the rounds, beside the most of the second third.
`;

/** Fewer rounds than this say nothing, however short the time is. */
const LEAST_ROUNDS = 12;
const MB = 2 ** 20;

/** Kinds of memory, and by how many megabytes each comes and goes; what is not given back in every round is more. */
const SLACK = { rss: 24, heapUsed: 4, external: 8, arrayBuffers: 8 } as const;
type Kind = keyof typeof SLACK;
const KINDS = Object.keys(SLACK) as Kind[];

async function measure(): Promise<NodeJS.MemoryUsage> {
  // What a finalizer frees is gone only after another turn.
  for (let i = 0; i < 2; i++) {
    globalThis.gc!();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return process.memoryUsage();
}

/** Prints how one kind of memory went; whether it levelled off. */
function isFlat(kind: Kind, levels: readonly NodeJS.MemoryUsage[]): boolean {
  const thirds = thirdsOf(levels.map((level) => level[kind] / MB));
  const isGrowing = grows(thirds, SLACK[kind]);
  const verdict = isGrowing ? `GROWS by more than ${SLACK[kind]} MB` : "flat";
  console.log(`${kind}, MB at most by thirds: ${thirds.map((level) => level.toFixed(1)).join(" ")}: ${verdict}`);
  return !isGrowing;
}

async function run({ seconds, seed, async: share }: Options): Promise<number> {
  if (!globalThis.gc) throw new Error("run with --expose-gc: npm run soak");
  const rounds = roundsFrom(seed, share);
  console.log(`soak: ${seconds} s, seed ${seed}; ${rounds.names.join(", ")}`);
  const levels: NodeJS.MemoryUsage[] = [];
  const start = performance.now();
  const elapsed = (): number => (performance.now() - start) / 1000;
  while (elapsed() < seconds || levels.length < LEAST_ROUNDS) {
    await rounds.next();
    levels.push(await measure());
    showProgress(`${Math.floor(elapsed())} of ${seconds} s, ${levels.length} rounds`);
  }
  clearProgress();
  const failed = KINDS.filter((kind) => !isFlat(kind, levels)).length;
  console.log(`${levels.length} rounds\n${KINDS.length - failed} passed, ${failed} failed`);
  return failed > 0 ? 1 : 0;
}

await main(HELP, run);
