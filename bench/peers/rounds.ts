// Times tasks in turns, so that a slow second of the machine falls on all of them. Some run in another process or
// return promises, and some take seconds a call: hence not benny, which calls each thrice a round.
import { median } from "../report/rows.js";
import type { Task } from "./peer.js";

export interface Entrant {
  readonly task: Task;
  /** Whether its threads go on for a while after a call. */
  readonly spins: boolean;
  /** Milliseconds of its first call, whose result was checked. */
  readonly firstMs: number;
}

export interface Bounds {
  readonly seconds: number;
  /** Rounds. */
  readonly most: number;
  /** Of calls before the first sample: small ones are slow until the compiler has seen thousands. */
  readonly warmUpMs: number;
  /** Collects garbage, between rounds; null leaves small garbage to the collector. */
  readonly collect: (() => void) | null;
}

const LEAST = 3;
/** Milliseconds a call from which on the rounds may have to do without, and those from which on one call is all. */
const SLOW = 300;
const VERY_SLOW = 2000;
/** Milliseconds that a sample averages over; a longer call is a sample. */
const SAMPLE = 2;
/** From this many milliseconds on a call needs no other before it that fills caches and wakes threads. */
const LONG = 50;
/** Milliseconds for which the threads of OpenMP and onnxruntime go on spinning after a call, on the next one's core. */
const SPINNING = 50;

const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Milliseconds a call when warm: that of the last of at least one more call, unless those take seconds. */
async function warmUp({ task, firstMs }: Entrant, milliseconds: number): Promise<number> {
  if (firstMs > VERY_SLOW) return firstMs;
  const end = performance.now() + milliseconds;
  let last = await task.sample(1);
  while (performance.now() < end) last = await task.sample(callsFor(last));
  return last;
}

function callsFor(milliseconds: number): number {
  return Math.max(1, Math.min(10_000, Math.round(SAMPLE / milliseconds)));
}

/**
 * Samples of each entrant, milliseconds a call. One too slow for two in a third of the time
 * has the one of its warm-up.
 */
export async function timeInTurns(
  entrants: readonly Entrant[],
  { seconds, most, warmUpMs, collect }: Bounds,
): Promise<number[][]> {
  const end = performance.now() + seconds * 1000;
  const samples = entrants.map((): number[] => []);
  const estimates: number[] = [];
  for (const entrant of entrants) estimates.push(await warmUp(entrant, warmUpMs));
  const limits = estimates.map((estimate) => {
    const affordable = Math.floor((seconds * 1000) / 3 / estimate);
    return estimate < SLOW ? Math.max(LEAST, affordable) : affordable;
  });
  estimates.forEach((estimate, i) => limits[i]! < 2 && samples[i]!.push(estimate));
  for (let round = 0; round < most && (round < LEAST || performance.now() < end); round++) {
    collect?.();
    for (const [i, { task, spins }] of entrants.entries()) {
      if (limits[i]! < 2 || samples[i]!.length >= limits[i]!) continue;
      const estimate = median([estimates[i]!, ...samples[i]!]);
      if (estimate < LONG) await task.sample(1);
      samples[i]!.push(await task.sample(callsFor(estimate)));
      if (spins) await sleep(SPINNING);
    }
  }
  return samples;
}
