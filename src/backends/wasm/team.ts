// The workers of this thread, which do shares of its calls. They begin with the first large call, which does not wait for
// them. After some time without a call they end by themselves.
import { milliseconds, weakly, type Holder } from "../../base/environment.js";
import { messageOf } from "../../base/errors.js";
import { Rest } from "./rest.js";
import type { Place } from "./worker/messages.js";
import { MOST_THREADS, State, WORDS, Word, announce, claim, open, seatsLeft, work } from "./worker/seats.js";
import { SHARE_WORKER } from "./worker-source.js";
import { PATIENCE, haveBegun, makeWorker, type AnyWorker } from "./workers.js";

/** How long the calling thread looks for the end of the others' shares before it sleeps, where it may. */
const SPIN_MS = 0.1;

/** What some clocks do not tell from nothing. */
const COARSE_MS = 0.01;

/** Memory that workers can be told of. */
export interface Workplace {
  readonly memory: WebAssembly.Memory;
  /** Where the shares of a call stand. */
  readonly shares: number;
  /** Where worker `index` has its own data. */
  baseOf(index: number): number;
}

interface Member {
  readonly worker: AnyWorker;
  readonly index: number;
  /** Resolved when it works, and when it cannot. */
  readonly begun: Promise<void>;
}

/** Whether this thread may sleep. The main thread of a page may not. */
function canSleep(words: Int32Array): boolean {
  try {
    return Atomics.wait(words, Word.spare, 1, 0) === "not-equal";
  } catch {
    return false;
  }
}

export class Team {
  readonly #words = new Int32Array(new SharedArrayBuffer(4 * WORDS));
  readonly #sleeps = canSleep(this.#words);
  readonly #rest = new Rest();
  readonly #members: Member[] = [];
  readonly #places = new Map<number, Holder<Workplace>>();
  #newest = 0;
  /** Why there are no workers, or null. */
  refusal: string | null = null;

  constructor(
    private readonly module: WebAssembly.Module,
    private readonly patience = PATIENCE,
  ) {}

  /** How many threads can work on a call now: workers that have begun, and the caller. */
  get threads(): number {
    return 1 + this.#members.filter(({ index }) => this.#stateOf(index) === State.ready).length;
  }

  #stateOf(index: number): number {
    return Atomics.load(this.#words, Word.states + index);
  }

  /** Makes memory known to all workers, also to those that begin later. Returns its number. */
  add(place: Workplace): number {
    const arena = ++this.#newest;
    this.#places.set(arena, weakly(place));
    for (const member of this.#members) this.#show(member, arena, place);
    return arena;
  }

  /** Lets workers forget memory, which they would keep alive. */
  remove(arena: number): void {
    if (!this.#places.delete(arena)) return;
    const message: Place = { arena, memory: null, base: 0, shares: 0 };
    for (const member of this.#members) this.#send(member, message);
  }

  #show(member: Member, arena: number, place: Workplace): void {
    const { memory, shares } = place;
    const message: Place = { arena, memory, base: place.baseOf(member.index), shares };
    this.#send(member, message);
  }

  /** The worker leaves its waiting for the message: only its event loop brings it. */
  #send({ worker, index }: Member, message: unknown): void {
    if (this.#stateOf(index) === State.ended) return;
    Atomics.add(this.#words, Word.messages + index, 1);
    worker.post(message);
    announce(this.#words);
  }

  #hire(index: number): Member {
    Atomics.store(this.#words, Word.states + index, State.starting);
    Atomics.store(this.#words, Word.messages + index, 0);
    let begin = (): void => undefined;
    const begun = new Promise<void>((resolve) => (begin = resolve));
    const worker = makeWorker(SHARE_WORKER, {
      heard: begin,
      failed: (reason) => {
        this.refusal ??= `a worker cannot run: ${reason}`;
        Atomics.store(this.#words, Word.states + index, State.ended);
        begin();
      },
    });
    const member = { worker, index, begun };
    this.#send(member, { words: this.#words, module: this.module, index, patience: this.patience });
    for (const [arena, holder] of this.#places) {
      const place = holder.deref();
      if (place) this.#show(member, arena, place);
      else this.#places.delete(arena);
    }
    return member;
  }

  /** Sees to it that there are workers for so many threads, or will be. */
  begin(threads: number): void {
    const wanted = Math.min(threads, MOST_THREADS) - 1;
    for (let index = 0; index < wanted && this.refusal === null; index++) {
      const isThere = index < this.#members.length && this.#stateOf(index) !== State.ended;
      try {
        if (!isThere) this.#members[index] = this.#hire(index);
      } catch (error) {
        this.refusal = messageOf(error);
      }
    }
  }

  /** Waits until workers have begun, or cannot. */
  async begun(): Promise<void> {
    const members = [...this.#members];
    const workers = members.map(({ worker }) => worker);
    await haveBegun(workers, Promise.all(members.map(({ begun }) => begun)));
  }

  /** Tells all workers to end, for good. */
  end(): void {
    for (const { index } of this.#members) {
      Atomics.compareExchange(this.#words, Word.states + index, State.starting, State.toEnd);
      Atomics.compareExchange(this.#words, Word.states + index, State.ready, State.toEnd);
    }
    announce(this.#words);
  }

  /** Whether a call may have workers now, whatever it costs or not. */
  isReady(whateverItCosts: boolean): boolean {
    return this.threads > 1 && (whateverItCosts || !this.#rest.lasts(milliseconds()));
  }

  /**
   * Does all shares of a call, with at most `threads` − 1 workers. The caller does what nobody else claims, and waits for
   * claimed shares alone. Returns how many threads worked. `part` is how much of all a share is.
   */
  run(
    arena: number,
    threads: number,
    shares: number,
    share: (index: number) => void,
    part: (index: number) => number = () => 1 / shares,
  ): number {
    const words = this.#words;
    const seats = Math.min(threads, MOST_THREADS) - 1;
    open(words, arena, shares, seats);
    const start = milliseconds();
    let [before, least] = [start, Infinity];
    const own = work(words, claim(words), (index) => {
      share(index);
      const now = milliseconds();
      if (now - before > COARSE_MS) least = Math.min(least, (now - before) / part(index));
      before = now;
    });
    const others = shares - own;
    if (others > 0) this.#await(others);
    if (others > 0) {
      const now = milliseconds();
      // Alone, all would have taken as long as the caller's quickest share, in which nothing stopped it, unless the clock is
      // too coarse to tell. A caller that found no share left was stopped itself: a worker took its core.
      const alone = own === 0 ? 0 : least < Infinity ? least : ((before - start) / own) * shares;
      this.#rest.reckon(alone - (now - start), now);
    }
    if (Atomics.exchange(words, Word.fault, 0) !== 0) throw new Error("a kernel failed on one of the threads");
    return 1 + seats - seatsLeft(words);
  }

  /** Waits until so many shares are done by workers. */
  #await(others: number): void {
    const words = this.#words;
    const end = milliseconds() + SPIN_MS;
    for (;;) {
      for (let i = 0; i < 100; i++) if (Atomics.load(words, Word.done) === others) return;
      const done = Atomics.load(words, Word.done);
      if (this.#sleeps && done !== others && milliseconds() > end) Atomics.wait(words, Word.done, done);
    }
  }
}
