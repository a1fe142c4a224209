// The calls of a layer's track by the oracle, synchronously and in their order, without those that ended early.
import type { Saved } from "../../../src/index.js";
import { layerOf } from "../call-arguments.js";
import { firstDifferenceOf } from "../compare.js";
import { Play } from "../recorder.js";
import type { Track } from "./case.js";
import { LayerCalls } from "./layer-calls.js";
import type { TrackRun } from "./layer-track.js";
import { plainMemory } from "./memory.js";
import { differenceOf, skips, type Outcome } from "./outcome.js";

class Replay {
  readonly faults: string[] = [];
  /** The calls that left tokens. */
  readonly #owners = new Map<Saved, Outcome>();
  /** Tokens whose x a backward was to be written over, which ended early. */
  readonly #spoilt = new Set<Saved>();

  constructor(
    readonly track: Track,
    readonly calls: LayerCalls,
  ) {}

  /** Makes the call of an outcome, unless that ended early, and compares. */
  make(outcome: Outcome): void {
    const { calls } = this;
    const { call } = outcome;
    const play = new Play(this.track.one, "oracle", plainMemory);
    if (call.kind === "sync") calls.between(play, call);
    else if (call.kind === "commit") calls.commit(play);
    else if (!this.#makeQueued(play, outcome, call.kind)) return;
    const difference = differenceOf(play.entries, outcome);
    if (difference !== null) this.faults.push(`${outcome.name}: ${difference}`);
  }

  /** Whether there is something to compare. */
  #makeQueued(play: Play, outcome: Outcome, kind: "forward" | "backward"): boolean {
    const { layer } = this.calls;
    const { call, name } = outcome;
    const prepared = this.calls[kind](play, call);
    const { options } = prepared;
    const token = kind === "backward" ? (("saved" in options ? options["saved"] : layer.saved) as Saved | null) : null;
    const owner = token ? this.#owners.get(token) : undefined;
    const skip = skips(outcome, owner?.arrays);
    if (typeof skip === "string") this.faults.push(`${name} ${skip}`);
    const isInPlace = kind === "backward" && this.calls.isInPlace(options);
    if (skip !== false) {
      if (token && isInPlace) this.#spoilt.add(token);
      return false;
    }
    const isOfSpoilt = outcome.fate === "refused" && token !== null && this.#spoilt.has(token);
    if (isOfSpoilt && String(outcome.entries[0]?.value).startsWith("ERR_BATCHNORM_SAVED")) return false;
    const result = play.attempt(name, () => this.calls.atOnce(prepared));
    if (result !== null) this.calls.keep(play, prepared, result);
    if (layer.saved && !this.#owners.has(layer.saved)) this.#owners.set(layer.saved, outcome);
    return true;
  }
}

/** How the outcomes differ from the oracle's synchronous calls. */
export function compareLayer(track: Track, run: TrackRun): string[] {
  const play = new Play(track.one, "oracle", plainMemory);
  const layer = play.attempt("new BatchNorm", () => layerOf({ ...track.one, reuse: false }, "oracle"));
  if (!layer || run.refusal.length > 0) return [firstDifferenceOf(play.entries, run.refusal) ?? []].flat();
  const calls = new LayerCalls(track.one, layer);
  const replay = new Replay(track, calls);
  const atOnce = run.outcomes.filter(({ call }) => call.kind === "sync");
  // A synchronous call came when so many batches had moved the statistics.
  const catchUp = (): void => {
    while (atOnce.length > 0 && atOnce[0]!.tracked === layer.numBatchesTracked) replay.make(atOnce.shift()!);
  };
  for (const outcome of run.outcomes) {
    catchUp();
    if (outcome.call.kind !== "sync") replay.make(outcome);
  }
  catchUp();
  if (atOnce.length > 0)
    replay.faults.push(`${atOnce[0]!.name} came when ${atOnce[0]!.tracked} batches had been tracked`);
  calls.keepState(play);
  const difference = firstDifferenceOf(play.entries, run.state);
  return [...run.faults, ...replay.faults, ...(difference === null ? [] : [`afterwards: ${difference}`])];
}
