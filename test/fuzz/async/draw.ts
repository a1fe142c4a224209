// How a case of asynchronous calls is drawn from a seed.
import { sizeOf } from "../../../src/verify/cases.js";
import { random } from "../../../src/verify/data.js";
import type { Extent } from "../../../src/kernels/control.js";
import { drawCase, type FuzzCase, type One } from "../draw.js";
import { MOST_SEED } from "../options.js";
import { LOSABLE, PLACES, type AsyncCall, type AsyncCase, type Disturbance, type Place, type Track } from "./case.js";

/** From so many elements on, calls run on other threads. */
export const FEWEST = 2 ** 17;

/** Of few channels, so that the oracle is fast. */
function largeExtent(next: () => number, one: One): Extent {
  const size = FEWEST * (1 + 0.15 * next());
  const channels = one(1, 2, 3, 5, 8, 16, 37);
  const inner = one(1, 1, 7, 49, 513, Math.ceil(size / channels), Math.ceil(size / channels / 9));
  return { outer: Math.ceil(size / channels / inner), channels, inner };
}

/** Batches of ranks, of which so many samples are a group of the contract. */
const UNITS: readonly (readonly [unit: number, channels: number, inner: number])[] = [
  [64, 2, 1024],
  [16, 2, 4096],
  [32, 1, 4097],
  [4096, 16, 1],
  [4096, 8, 3],
  [1, 2, 65_536],
];

/** Whether synchronous calls in training can come in between: only the running statistics are theirs, too. */
const mixesInTraining = ({ mode, renorm, singleValue }: FuzzCase): boolean =>
  mode === "training" && renorm === undefined && ["allow", "error"].includes(singleValue);

class Draw {
  constructor(
    readonly next: () => number,
    readonly one: One,
  ) {}

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  disturbance(): Disturbance | null {
    if (this.chance(0.55)) return null;
    const { one } = this;
    const kind = one("abort", "take", "grow");
    return {
      kind,
      victim: this.next(),
      turns: kind === "abort" && this.chance(0.1) ? -1 : one(0, 0, 1, 2, 3, 5, 9),
      milliseconds: this.chance(0.5) ? 4 * this.next() ** 2 : 0,
      microtasks: one(0, 0, 1, 3, 8),
    };
  }

  call(kind: AsyncCall["kind"], step: number): AsyncCall {
    const { one } = this;
    const disturbance = this.disturbance();
    const choices: readonly Place[] = disturbance?.kind === "take" ? LOSABLE : PLACES;
    return {
      kind,
      step,
      gap: one<"all" | number>("all", 0, 0, 1, 4),
      places: Array.from({ length: 4 }, () => one(...choices)),
      disturbance,
      namesToken: this.chance(0.3),
      releases: this.chance(0.5),
    };
  }

  /** Kinds of calls of a layer, of which the first is a forward. */
  kindsOf(one: FuzzCase, mixes: boolean): AsyncCall["kind"][] {
    const count = 2 + Math.floor(this.next() * 4);
    const kinds: AsyncCall["kind"][] = ["forward"];
    const isDeferred = one.asked.updateRunningStats === "later";
    while (kinds.length < count) {
      const isBackwardNext = kinds.at(-1) !== "backward" && this.chance(0.7);
      if (mixes && this.chance(0.4)) kinds.push("sync");
      else if (mixes && one.mode === "training") kinds.push("forward");
      else if (isDeferred && this.chance(0.3)) kinds.push("commit");
      else kinds.push(isBackwardNext || this.chance(0.1) ? "backward" : "forward");
    }
    return kinds;
  }

  layer(given: FuzzCase): Track {
    const mixes = this.chance(0.4) && (given.mode === "eval" || mixesInTraining(given));
    const one = { ...given, ...(mixes && { asked: {} }), reuse: this.chance(0.5) };
    const calls = this.kindsOf(one, mixes).flatMap((kind, i) => {
      const call = this.call(kind, i % 2);
      if (kind === "commit") return [{ ...call, gap: "all" as const, disturbance: null }];
      // A token that was not used up serves another backward.
      const isTriedAgain =
        kind === "backward" && ["abort", "take"].includes(call.disturbance?.kind ?? "") && this.chance(0.5);
      return isTriedAgain ? [call, { ...this.call(kind, i % 2), disturbance: null }] : [call];
    });
    return { form: "layer", one, maxPending: this.chance(0.2) ? this.one(1, 2, 3) : undefined, calls, ends: [] };
  }

  /** A case whose calls are fit to be made asynchronously. */
  fitted(one: FuzzCase): FuzzCase {
    // Most forwards should leave a token.
    const isKept = one.forwardInPlace === "x" && !one.fromOutput && this.chance(0.7);
    const own: FuzzCase = isKept ? { ...one, forwardInPlace: "no" } : one;
    // Not thousands of virtual batches, or of samples with γ and β of their own, each of which is a call of a kernel.
    return own.shape[0]! > 48 ? { ...own, cut: {}, conditional: [] } : own;
  }

  /** A synchronized layer, whose batch is cut at groups of the contract. A rank may have nothing. */
  ranks(seed: number): Track {
    const [unit, channels, inner] = this.one(...UNITS);
    const units = 2 + Number(unit === 1);
    const outer = unit * units + Math.floor(this.next() * unit);
    const drawn = this.fitted(drawCase(seed, () => ({ outer, channels, inner })));
    const shape = inner === 1 ? [outer, channels] : [outer, channels, inner];
    const cuts = Array.from({ length: this.one(1, 2, 3) }, () => unit * Math.floor(this.next() * (units + 1)));
    const ends = [...cuts.sort((a, b) => a - b), outer];
    return {
      form: "ranks",
      one: { ...drawn, shape, where: { axis: 1 }, cut: {} },
      maxPending: undefined,
      calls: [],
      ends,
    };
  }

  track(form: Track["form"]): Track {
    const seed = Math.floor(this.next() * MOST_SEED);
    if (form === "sync") {
      const one = drawCase(seed);
      return { form, one, maxPending: undefined, calls: [this.call("sync", 0)], ends: [] };
    }
    if (form === "ranks") return this.ranks(seed);
    const one = this.fitted(drawCase(seed, this.chance(0.8) ? largeExtent : undefined));
    if (form === "layer") return this.layer(one);
    const chains = Array.from({ length: 1 + Math.floor(this.next() * 2) }, (_, i) => [
      this.call("forward", i % 2),
      this.call("backward", i % 2),
    ]);
    return { form, one, maxPending: undefined, calls: chains.flat(), ends: [] };
  }
}

/** The same case from the same seed, everywhere. */
export function drawAsyncCase(seed: number): AsyncCase {
  const next = random(seed);
  const one: One = (...choices) => choices[Math.floor(next() * choices.length)]!;
  const draw = new Draw(next, one);
  const count = one(1, 2, 2, 3);
  const forms = Array.from({ length: count }, () =>
    one<Track["form"]>("layer", "layer", "layer", "functions", "functions", "ranks"),
  );
  const more: readonly Track["form"][] = draw.chance(0.6) ? ["sync"] : [];
  return { seed, tracks: [...forms, ...more].map((form) => draw.track(form)) };
}

/** The number of elements of the largest tensors. */
export const largestOf = ({ tracks }: AsyncCase): number => Math.max(...tracks.map(({ one }) => sizeOf(one.extent)));
