// A case of asynchronous calls: tracks that run side by side. A track is a layer with its calls, or the functions without a
// layer, or a synchronized layer on several ranks, or synchronous calls that come in between.
import type { FuzzCase } from "../draw.js";

/** Memory that nothing takes away, and memory that JavaScript can take away. */
const LASTING = ["shared", "growable shared", "shared memory", "arena", "shared arena"] as const;
export const LOSABLE = ["ordinary", "resizable", "shrinking", "memory"] as const;
export const PLACES = [...LASTING, ...LOSABLE] as const;
export type Place = (typeof PLACES)[number];

/** What happens in the middle of a call: a signal ends it, or an array loses its memory, or its memory becomes larger. */
export interface Disturbance {
  readonly kind: "abort" | "take" | "grow";
  /** Which array of the call. */
  readonly victim: number;
  /** After how many turns of the event loop; −1: before the call. */
  readonly turns: number;
  /** And after so long, in which the loop turns. */
  readonly milliseconds: number;
  /** And after how many microtasks. */
  readonly microtasks: number;
}

export interface AsyncCall {
  /** "sync" is a synchronous call on the layer, and "commit" commits the update of the newest token. */
  readonly kind: "forward" | "backward" | "sync" | "commit";
  /** Which data of the track. */
  readonly step: number;
  /** What the track waits for before: all of its calls, or turns of the event loop. */
  readonly gap: "all" | number;
  readonly places: readonly Place[];
  readonly disturbance: Disturbance | null;
  /** Whether a backward is given its token. It is the newest one after the last gap "all". */
  readonly namesToken: boolean;
  /** Whether an array of a layer with `reuse` is given back at once. */
  readonly releases: boolean;
}

export interface Track {
  readonly form: "layer" | "functions" | "ranks" | "sync";
  readonly one: FuzzCase;
  readonly maxPending: number | undefined;
  readonly calls: readonly AsyncCall[];
  /** Of "ranks": where the part of each ends. */
  readonly ends: readonly number[];
}

export interface AsyncCase {
  readonly seed: number;
  readonly tracks: readonly Track[];
}
