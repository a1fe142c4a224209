// The rounds of the soak: each does the same work, so that memory that is given back levels off.
import { once } from "node:events";
import { setTimeout as wait } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { BatchNorm, createArena, type BackendName } from "../../src/index.js";
import { contenders } from "../fuzz/compare.js";
import { drawCase, type FuzzCase } from "../fuzz/draw.js";
import { play } from "../fuzz/play.js";

const CASES = 60;
/** What a case of a round may hold: one larger would make a round of its own of it. */
const MOST_ELEMENTS = 2 ** 15;
const ARENAS = 2;
const SHAPE = [8, 32, 16, 16];
const LENGTH = 8 * 32 * 16 * 16;

/** Cases of consecutive seeds, the same in every round. */
function casesFrom(seed: number): FuzzCase[] {
  const cases: FuzzCase[] = [];
  for (let at = seed; cases.length < CASES; at++) {
    const one = drawCase(at);
    if (one.extent.outer * one.extent.channels * one.extent.inner <= MOST_ELEMENTS) cases.push(one);
  }
  return cases;
}

/** A worker of its own instance of the library, which is ended in the middle of a call. */
async function endWorker(afterMs: number): Promise<void> {
  const worker = new Worker(new URL("worker.mjs", import.meta.url), { execArgv: [] });
  await once(worker, "message");
  await wait(afterMs);
  await worker.terminate();
}

/** Arenas with arrays that a layer used: half of them disposed of, half only dropped. */
function dropArenas(round: number): void {
  for (let i = 0; i < ARENAS; i++) {
    const arena = createArena(4 * LENGTH * 4);
    const [x, y] = [arena.float32(LENGTH).fill(i), arena.float32(LENGTH)];
    const layer = new BatchNorm(SHAPE[1]!, { backend: "wasm" });
    layer.forward(x, SHAPE, { out: y });
    layer.backward(y, { out: x });
    if ((round + i) % 2 === 0) arena.dispose();
  }
}

/** Does one round after the other. */
export function roundsFrom(seed: number): { readonly names: readonly string[]; next(): Promise<void> } {
  const cases = casesFrom(seed);
  const able = contenders();
  const all: { name: BackendName; lacks: readonly string[] }[] = [...able, { name: "oracle", lacks: [] }];
  const hasWasm = able.some(({ name }) => name === "wasm");
  let round = 0;
  return {
    names: all.map(({ name }) => name),
    async next() {
      for (const one of cases) for (const { name, lacks } of all) if (!lacks.includes(one.dtype)) play(one, name);
      await endWorker(round % 8);
      if (hasWasm) dropArenas(round);
      round++;
    },
  };
}
