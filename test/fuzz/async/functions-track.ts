// The functions without a layer: several chains of calls, which are on their way at the same time.
import type { BackendName } from "../../../src/index.js";
import { Play } from "../recorder.js";
import type { Track } from "./case.js";
import { ENDED_EARLY, chainsOf, type Chain, type Open } from "./chains.js";
import { CallMemory, plainMemory, type Placed } from "./memory.js";
import { AsyncPlay, differenceOf, settled, skips, turns, type Outcome } from "./outcome.js";
import type { Rooms } from "./rooms.js";

/** Arrays of a chain so far: any may be needed until its end. */
async function playChain(chain: Chain, arrays: () => readonly Placed[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  let next = chain.next();
  while (!next.done) {
    const { name, call, play, later, args, options, keep } = next.value;
    if (typeof call.gap === "number") await turns(call.gap);
    let got: object | null = null;
    const outcome = await settled(
      { name, call, play, arrays: arrays(), isFull: false },
      (signal) => later(...args, { ...options, signal }) as Promise<unknown>,
      (result) => keep((got = result as object)),
    );
    outcomes.push(outcome);
    next = chain.next(skips(outcome) === false ? got : ENDED_EARLY);
  }
  return outcomes;
}

/** The outcomes of each chain. */
export async function playFunctions(track: Track, backend: BackendName, rooms: Rooms): Promise<Outcome[][]> {
  const memories: CallMemory[][] = [];
  const openOf = (chain: number): Open => {
    memories[chain] = [];
    return (call) => {
      const memory = new CallMemory(call.places, track.one.offset, rooms);
      memories[chain]!.push(memory);
      return new AsyncPlay(track.one, backend, memory);
    };
  };
  const arraysOf = (chain: number) => (): Placed[] => memories[chain]!.flatMap(({ arrays }) => arrays);
  return Promise.all(chainsOf(track, openOf).map((chain, i) => playChain(chain, arraysOf(i))));
}

/** How the outcomes of a chain differ from the oracle's synchronous calls. */
function compareChain(chain: Chain, outcomes: readonly Outcome[]): string[] {
  const faults: string[] = [];
  let next = chain.next();
  for (const outcome of outcomes) {
    if (next.done) return [...faults, `${outcome.name} where the oracle makes no call`];
    const { name, play, atOnce, args, options, keep } = next.value;
    const skip = skips(outcome);
    if (typeof skip === "string") faults.push(`${name} ${skip}`);
    let result: object | null = null;
    if (skip === false) {
      result = play.attempt(name, () => atOnce(...args, options) as object);
      if (result) keep(result);
      const difference = differenceOf(play.entries, outcome);
      if (difference !== null) faults.push(`${name}: ${difference}`);
    }
    next = chain.next(skip === false ? result : ENDED_EARLY);
  }
  return next.done ? faults : [...faults, `no ${next.value.name} where the oracle makes one`];
}

export function compareFunctions(track: Track, outcomes: readonly (readonly Outcome[])[]): string[] {
  const open: Open = () => new Play(track.one, "oracle", plainMemory);
  return chainsOf(track, () => open).flatMap((chain, i) => compareChain(chain, outcomes[i]!));
}
