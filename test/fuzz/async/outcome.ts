// How an asynchronous call ends, what disturbs it, and whether it may end so.
import type { DType } from "../../../src/base/types.js";
import { firstDifferenceOf } from "../compare.js";
import { Play, type Entry } from "../recorder.js";
import type { AsyncCall, Disturbance } from "./case.js";
import { isGone, type Placed } from "./memory.js";

/** "refused" is any error but those that only asynchronous calls have. */
export type Fate = "done" | "refused" | "aborted" | "busy" | "detached";

/** A call, as it is made. */
export interface Begun {
  readonly name: string;
  readonly call: AsyncCall;
  /** Keeps what the call gives. */
  readonly play: Play;
  /** Those that may go away in its middle. */
  readonly arrays: readonly Placed[];
  /** Whether as many calls of the layer were pending as may be. */
  readonly isFull: boolean;
}

export interface Outcome extends Omit<Begun, "play"> {
  readonly fate: Fate;
  /** The results, or the error. */
  readonly entries: readonly Entry[];
  /** How many batches had moved the statistics before a synchronous call. */
  readonly tracked?: number | null;
}

const GONE = "its memory went away after the call had ended";

/** Keeps what a call gives, unless its memory went away before anybody could see it. */
export class AsyncPlay extends Play {
  override keep(name: string, value: unknown, dtype: DType = this.one.dtype): void {
    if (isGone(value)) this.entries.push({ name, dtype, value: GONE });
    else super.keep(name, value, dtype);
  }
}

/** How the results of a call differ from the oracle's, beside those that are gone. */
export function differenceOf(expected: readonly Entry[], { entries }: Outcome): string | null {
  const gone = new Set(entries.flatMap(({ name, value }) => (value === GONE ? [name] : [])));
  const there = (all: readonly Entry[]): Entry[] => all.filter(({ name }) => !gone.has(name));
  return firstDifferenceOf(there(expected), there(entries));
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await turn();
}

/** Waits, and then disturbs a call; at once where there is nothing to wait for. */
function disturb(disturbance: Disturbance, arrays: readonly Placed[], abort: () => void): Promise<void> | null {
  const { kind, victim, milliseconds, microtasks } = disturbance;
  const act = (): void => {
    const placed = arrays[Math.floor(victim * arrays.length)];
    if (kind === "abort") abort();
    else if (kind === "take") placed?.take();
    else placed?.grow();
  };
  const later = async (): Promise<void> => {
    await turns(disturbance.turns);
    const end = performance.now() + milliseconds;
    while (performance.now() < end) await turns(1);
    for (let i = 0; i < microtasks; i++) await Promise.resolve();
    act();
  };
  return disturbance.turns > 0 || milliseconds > 0 || microtasks > 0 ? later() : (act(), null);
}

const FATES: Readonly<Record<string, Fate>> = {
  ERR_BATCHNORM_BUSY: "busy",
  ERR_BATCHNORM_DETACHED: "detached",
};

/** Makes a call and disturbs it. `keep` gets the result at once. */
export async function settled(
  { name, call, play, arrays, isFull }: Begun,
  run: (signal: AbortSignal | undefined) => Promise<unknown>,
  keep: (result: unknown) => void,
): Promise<Outcome> {
  const { disturbance } = call;
  const controller = disturbance?.kind === "abort" ? new AbortController() : null;
  const reason = { name };
  const abort = (): void => controller?.abort(reason);
  if (disturbance?.turns === -1) abort();
  const promise = run(controller?.signal);
  const disturbing = disturbance && disturb(disturbance, arrays, abort);
  const fate = await promise.then(
    (result): Fate => (keep(result), "done"),
    (error: unknown): Fate => {
      if (error === reason) return "aborted";
      const { code, message, stack } = error as { code?: string; message?: string; stack?: string };
      const text = code === undefined ? String(stack) : `${String(code)}: ${String(message)}`;
      play.entries.push({ name, dtype: "float64", value: text });
      return FATES[String(code)] ?? "refused";
    },
  );
  await disturbing;
  return { name, call, arrays, isFull, fate, entries: play.entries };
}

/**
 * Whether a call ended by what only asynchronous calls know, so that the oracle does not make it. A text says that it should
 * not have ended so. `others` are the arrays of the token.
 */
export function skips({ fate, isFull, call, arrays }: Outcome, others: readonly Placed[] = []): boolean | string {
  const isAnyGone = [...arrays, ...others].some(({ isGone }) => isGone);
  switch (fate) {
    case "aborted":
      return true;
    case "busy":
      return isFull || "was refused as one too many, which it was not";
    case "detached":
      return isAnyGone || "ended as if an array had lost its memory";
    case "refused":
      return false;
    case "done":
      if (isFull) return "was one too many, and was not refused";
      return call.disturbance?.turns === -1 ? "was made although its signal was aborted before" : false;
  }
}
