// A layer with its calls, which are made asynchronously on a backend.
import type { BackendName, Gradients } from "../../../src/index.js";
import type { Data, DType } from "../../../src/base/types.js";
import { bytesOf } from "../../support/async-calls.js";
import { layerOf } from "../call-arguments.js";
import { Play, type Entry, type Options } from "../recorder.js";
import type { AsyncCall, Track } from "./case.js";
import { LayerCalls, type Prepared } from "./layer-calls.js";
import { CallMemory, plainMemory, type Placed } from "./memory.js";
import { AsyncPlay, settled, turns, type Outcome } from "./outcome.js";
import type { Rooms } from "./rooms.js";

export interface TrackRun {
  /** That of the constructor, if it refused the options. */
  readonly refusal: readonly Entry[];
  readonly outcomes: readonly Outcome[];
  readonly state: readonly Entry[];
  readonly faults: readonly string[];
}

/** The track on a backend. */
class LayerRun {
  readonly outcomes: Outcome[] = [];
  readonly faults: string[] = [];
  readonly #running: Promise<void>[] = [];
  /** Arrays of a layer with `reuse` that were not given back, and what they held. */
  readonly #lent: (readonly [Data, Buffer])[] = [];
  #latest: readonly Placed[] = [];

  constructor(
    readonly track: Track,
    readonly backend: BackendName,
    readonly rooms: Rooms,
    readonly calls: LayerCalls,
  ) {}

  async run(): Promise<void> {
    for (const [i, call] of this.track.calls.entries()) {
      if (call.gap === "all") await Promise.all(this.#running);
      else await turns(call.gap);
      this.#make(call, i);
    }
    await Promise.all(this.#running);
    if (this.calls.layer.pending !== 0) this.faults.push("calls are pending after the last one has ended");
    if (this.#lent.some(([array, then]) => !bytesOf(array).equals(then)))
      this.faults.push("an array that was not given back was written");
  }

  #make(call: AsyncCall, i: number): void {
    const { track, calls } = this;
    const { layer } = calls;
    const memory = new CallMemory(call.places, track.one.offset, this.rooms);
    const play = new AsyncPlay(track.one, this.backend, memory);
    const name = `call ${i}, ${call.kind}`;
    if (call.kind === "sync" || call.kind === "commit") {
      const tracked = layer.numBatchesTracked;
      if (call.kind === "sync") calls.between(play, call);
      else calls.commit(play);
      const { entries } = play;
      this.outcomes[i] = { name, call, arrays: memory.arrays, isFull: false, fate: "done", entries, tracked };
      return;
    }
    const prepared = calls[call.kind](play, call);
    const arrays = call.kind === "forward" ? memory.arrays : [...memory.arrays, ...this.#latest];
    if (call.kind === "forward") this.#latest = memory.arrays;
    const isFull = layer.pending >= (track.maxPending ?? Infinity);
    const ended = settled(
      { name, call, play, arrays, isFull },
      (signal) => calls.later(prepared, signal),
      (result) => this.#keep(play, call, prepared, result),
    );
    this.#running.push(ended.then((outcome) => void (this.outcomes[i] = outcome)));
  }

  /** Keeps a result, and gives its array back. A token may still need an output. */
  #keep(play: Play, call: AsyncCall, prepared: Prepared, result: unknown): void {
    this.calls.keep(play, prepared, result);
    if (!this.track.one.reuse || prepared.options["out"]) return;
    const array = (prepared.method === "forward" ? result : (result as Gradients<DType>).gradInput) as Data | null;
    if (array === null) return;
    if (call.releases && prepared.options["save"] !== "output") this.calls.layer.release(array);
    else this.#lent.push([array, Buffer.from(bytesOf(array))]);
  }
}

export async function playLayer(track: Track, backend: BackendName, rooms: Rooms): Promise<TrackRun> {
  const play = new Play(track.one, backend, plainMemory);
  const options: Options = track.maxPending === undefined ? {} : { maxPending: track.maxPending };
  const layer = play.attempt("new BatchNorm", () => layerOf(track.one, backend, options));
  if (!layer) return { refusal: play.entries, outcomes: [], state: [], faults: [] };
  const calls = new LayerCalls(track.one, layer);
  const run = new LayerRun(track, backend, rooms, calls);
  await run.run();
  calls.keepState(play);
  return { refusal: [], outcomes: run.outcomes, state: play.entries, faults: run.faults };
}
