// One case of asynchronous calls on every backend, compared with the oracle's synchronous calls bit for bit.
import type { BackendName } from "../../../src/index.js";
import { firstDifferenceOf, type Compared, type Contender } from "../compare.js";
import { play } from "../play.js";
import type { Entry } from "../recorder.js";
import type { AsyncCase, Track } from "./case.js";
import { compareFunctions, playFunctions } from "./functions-track.js";
import { compareLayer } from "./layer-replay.js";
import { playLayer } from "./layer-track.js";
import { compareRanks, playRanks } from "./ranks-track.js";
import { turns, type Fate, type Outcome } from "./outcome.js";
import { Rooms } from "./rooms.js";

export type Fates = Readonly<Record<Fate, number>>;

/** How a track went, and what compares it with the oracle. */
interface Played {
  readonly outcomes: readonly Outcome[];
  readonly compare: () => readonly string[] | Promise<readonly string[]>;
}

async function playAtOnce({ one, calls }: Track, backend: BackendName): Promise<Played> {
  const { gap } = calls[0]!;
  await turns(gap === "all" ? 7 : gap);
  const got: readonly Entry[] = play(one, backend);
  const compare = (): string[] => [firstDifferenceOf(play(one, "oracle"), got) ?? []].flat();
  return { outcomes: [], compare };
}

async function playTrack(track: Track, backend: BackendName, rooms: Rooms): Promise<Played> {
  if (track.form === "sync") return playAtOnce(track, backend);
  if (track.form === "ranks") {
    const ranks = await playRanks(track, backend);
    return { outcomes: [], compare: () => compareRanks(track, ranks) };
  }
  if (track.form === "functions") {
    const chains = await playFunctions(track, backend, rooms);
    return { outcomes: chains.flat(), compare: () => compareFunctions(track, chains) };
  }
  const run = await playLayer(track, backend, rooms);
  return { outcomes: run.outcomes, compare: () => compareLayer(track, run) };
}

/** What is wrong with the memory of calls. */
const memoryFaults = (outcomes: readonly Outcome[]): string[] =>
  outcomes.flatMap(({ name, arrays }) =>
    [...new Set(arrays.flatMap(({ fault }) => fault ?? []))].map((fault) => `${name}: ${fault}`),
  );

/** Plays a case on a backend. All tracks run at the same time, without those of types that the backend lacks. */
export async function playAsync({ tracks }: AsyncCase, { name, lacks }: Contender): Promise<readonly Played[]> {
  const rooms = new Rooms();
  const playIfAble = async (track: Track): Promise<Played> =>
    lacks.includes(track.one.dtype) ? { outcomes: [], compare: () => [] } : playTrack(track, name, rooms);
  try {
    const played = await Promise.all(tracks.map(playIfAble));
    return played.map(({ outcomes, compare }) => {
      const faults = memoryFaults(outcomes);
      return { outcomes, compare: async () => [...faults, ...(await compare())] };
    });
  } finally {
    rooms.close();
  }
}

/** As `compareCase`; also, how the calls ended. */
export async function compareAsyncCase(
  one: AsyncCase,
  others: readonly Contender[],
): Promise<Compared & { readonly fates: Fates }> {
  const fates = { done: 0, refused: 0, aborted: 0, busy: 0, detached: 0 };
  const faults: string[] = [];
  for (const contender of others) {
    const played = await playAsync(one, contender);
    for (const { fate } of played.flatMap(({ outcomes }) => outcomes)) fates[fate]++;
    const found: string[] = [];
    for (const [i, { compare }] of played.entries())
      found.push(...(await compare()).map((fault) => `track ${i}: ${fault}`));
    if (found.length > 0) faults.push(`${contender.name}: ${found.join("\n    ")}`);
  }
  return { faults, runs: others.length, isAccepted: fates.done > 0, fates };
}
