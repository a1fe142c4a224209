// Keeps the two workers at the same step: each chunk is trained by both before the next begins. The page only draws.
import { wrap, type Remote } from "comlink";
import type { Look } from "./look.js";
import { batchSize, needsNewNetwork, type Settings } from "./settings.js";
import type { Side, State } from "./side.js";

export const SIDES = ["without", "with"] as const;
export type SideName = (typeof SIDES)[number];
export type Both<Value> = Readonly<Record<SideName, Value>>;

/** Training pauses here, so that a forgotten page does not train for ever. */
const LAST_STEP = 20_000;
/** So many digits are trained between two points of the curves, for which as many are evaluated. */
const DIGITS_OF_A_POINT = 1500;
/** Where much happens at the beginning, the points are closer: so many times, and never farther than so many steps. */
const CLOSER = 5;
const FARTHEST = 50;

export interface Frame {
  readonly step: number;
  readonly focus: Focus;
  readonly states: Both<State>;
  readonly looks: Both<Look>;
}

export interface Focus {
  readonly layer: number;
  readonly unit: number;
}

/** The step after `step` at which both networks are evaluated; the first step is shown at once. */
export function nextPoint(step: number, settings: Settings): number {
  const far = Math.max(1, Math.round(DIGITS_OF_A_POINT / batchSize(settings)));
  const every = step < 4 * far ? Math.min(FARTHEST, Math.ceil(far / CLOSER)) : far;
  return step === 0 ? 1 : (Math.floor(step / every) + 1) * every;
}

function openWorker(): Worker {
  return new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
}

/** Numbers the plays, so that one that was paused does not go on within another. */
let turns = 0;

export class Conductor {
  /** Called with every new state of both networks. */
  onFrame: (frame: Frame) => void = () => {};
  /** Called when it begins or ends to play. */
  onPlaying: () => void = () => {};
  #step = 0;
  #playing = 0;
  #isAltered = false;
  /** Calls of the workers wait for one another, so that both stay at one step. */
  #queue: Promise<unknown> = Promise.resolve();

  private constructor(
    readonly sides: Both<Remote<Side>>,
    private settings: Settings,
    private focus: Focus,
  ) {}

  /** The workers load while the file does. */
  static async open(file: Promise<Uint8Array>, settings: Settings, focus: Focus): Promise<Conductor> {
    const open = async (normalized: boolean): Promise<Remote<Side>> => {
      const worker = openWorker();
      const failed = new Promise<never>((_, reject) => {
        worker.onerror = ({ message }) => reject(new Error(`a worker failed: ${message || "it did not load"}`));
      });
      const Remote = wrap<typeof Side>(worker);
      return Promise.race([failed, new Remote(await file, settings, normalized)]);
    };
    const [without, withIt] = await Promise.all([open(false), open(true)]);
    return new Conductor({ without, with: withIt }, settings, focus);
  }

  get step(): number {
    return this.#step;
  }

  get isPlaying(): boolean {
    return this.#playing !== 0;
  }

  /** Whether settings were changed since step 0, so that the settings alone do not lead to this state. */
  get isAltered(): boolean {
    return this.#isAltered;
  }

  #enqueue<Value>(work: () => Promise<Value>): Promise<Value> {
    const result = this.#queue.then(work);
    this.#queue = result.catch(() => {});
    return result;
  }

  async #both<Value>(call: (side: Remote<Side>) => Promise<Value>): Promise<Both<Value>> {
    const [without, withIt] = await Promise.all([call(this.sides.without), call(this.sides.with)]);
    return { without, with: withIt };
  }

  /** Calls both workers at the same time, after all calls before. */
  ask<Value>(call: (side: Remote<Side>) => Promise<Value>): Promise<Both<Value>> {
    return this.#enqueue(() => this.#both(call));
  }

  /** The same for a call that changes what is shown. */
  #show(call: (side: Remote<Side>) => Promise<State>, prepare: () => void = () => {}): Promise<void> {
    return this.#enqueue(async () => {
      prepare();
      const { focus } = this;
      const states = await this.#both(call);
      const looks = await this.#both((side) => side.look(focus.layer, focus.unit));
      this.#step = states.with.step;
      this.onFrame({ step: this.#step, focus, states, looks });
    });
  }

  advance(to: number): Promise<void> {
    return this.#show((side) => side.advance(to));
  }

  /** Trains until `pause`, or until a step. In a hidden tab no frame is drawn, and the training rests. */
  async play(until = LAST_STEP): Promise<void> {
    const turn = ++turns;
    this.#setPlaying(turn);
    do {
      // The step is read when the workers are called: a new beginning may be waiting before.
      await this.#show((side) => side.advance(Math.min(until, nextPoint(this.#step, this.settings))));
      await new Promise(requestAnimationFrame);
    } while (this.#playing === turn && this.#step < until);
    if (this.#playing === turn) this.pause();
  }

  pause(): void {
    this.#setPlaying(0);
  }

  #setPlaying(turn: number): void {
    if (this.#playing === turn) return;
    this.#playing = turn;
    this.onPlaying();
  }

  /** Begins at step 0. */
  begin(settings: Settings, focus: Focus): Promise<void> {
    return this.#show(
      (side) => side.begin(settings),
      () => {
        this.settings = settings;
        this.focus = focus;
        this.#isAltered = false;
      },
    );
  }

  /** Goes on with other settings, or begins at step 0 where they need a new network. */
  change(settings: Settings, focus: Focus): Promise<void> {
    return this.#show(
      (side) => side.change(settings),
      () => {
        this.#isAltered = !needsNewNetwork(this.settings, settings) && (this.#isAltered || this.#step > 0);
        this.settings = settings;
        this.focus = focus;
      },
    );
  }

  lookAt(focus: Focus): Promise<void> {
    return this.#show(
      (side) => side.state(),
      () => {
        this.focus = focus;
      },
    );
  }
}
