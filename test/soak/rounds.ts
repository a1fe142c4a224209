// The rounds of the soak: each does the same work, so that memory that is given back levels off.
import { once } from "node:events";
import { setTimeout as wait } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { BatchNorm, createArena } from "../../src/index.js";
import { sizeOf } from "../../src/verify/cases.js";
import { playAsync } from "../fuzz/async/compare.js";
import type { AsyncCase } from "../fuzz/async/case.js";
import { drawAsyncCase } from "../fuzz/async/draw.js";
import { contenders, type Contender } from "../fuzz/compare.js";
import { drawCase, type FuzzCase } from "../fuzz/draw.js";
import { isAsync } from "../fuzz/options.js";
import { play } from "../fuzz/play.js";

const CASES = 60;
/** What a synchronous case of a round may hold: one larger would make a round of its own of it. */
const MOST_ELEMENTS = 2 ** 15;
const ARENAS = 2;
const SHAPE = [8, 32, 16, 16];
const LENGTH = 8 * 32 * 16 * 16;

/** Cases of consecutive seeds, the same in every round: of synchronous calls, and of asynchronous ones. */
function casesFrom(seed: number, share: number): { readonly atOnce: FuzzCase[]; readonly later: AsyncCase[] } {
  const [atOnce, later]: [FuzzCase[], AsyncCase[]] = [[], []];
  for (let at = seed; atOnce.length + later.length < CASES; at++) {
    if (isAsync(at, share)) later.push(drawAsyncCase(at));
    else {
      const one = drawCase(at);
      if (sizeOf(one.extent) <= MOST_ELEMENTS) atOnce.push(one);
    }
  }
  return { atOnce, later };
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
export function roundsFrom(seed: number, share: number): { readonly names: readonly string[]; next(): Promise<void> } {
  const { atOnce, later } = casesFrom(seed, share);
  const able = contenders();
  const all: Contender[] = [...able, { name: "oracle", lacks: [] }];
  const hasWasm = able.some(({ name }) => name === "wasm");
  let round = 0;
  return {
    names: all.map(({ name }) => name),
    async next() {
      for (const one of atOnce) for (const { name, lacks } of all) if (!lacks.includes(one.dtype)) play(one, name);
      for (const one of later) for (const each of all) await playAsync(one, each);
      await endWorker(round % 8);
      if (hasWasm) dropArenas(round);
      round++;
    },
  };
}
