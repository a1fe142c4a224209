// A rank's access to the shared memory of its group: it posts its array and takes those of the others. All groups that the rank
// is in go through its one slot.
import { milliseconds } from "../../base/environment.js";
import { GroupError, type GatherOptions } from "../group.js";
import { Int, State, leave, reasonOf, slotOf, type SharedGroup, type Slot } from "./shared.js";
import type { Wait } from "./waiting.js";

/** One gather of a group: who takes part, by rank in the shared memory, and what marks its arrays. */
export interface Gathering {
  readonly members: readonly number[];
  /** The upper half of the tags. */
  readonly id: number;
  /** Returns the number of the next array of this group. */
  readonly next: () => number;
}

/** Waits of a gather: it yields what to wait for, and how long at most. */
export type Waits<R> = Generator<{ readonly wait: Wait; readonly milliseconds: number }, R, void>;

function tagOf(id: number, number: number): bigint {
  return BigInt.asIntN(64, (BigInt(id) << 32n) | BigInt(number >>> 0));
}

/** How many milliseconds may pass until a rank that waits looks again whether its wait has ended. */
const LONGEST_BEAT = 500;

/** When a gather must have ended, and what it is. */
interface Deadline {
  readonly at: number;
  readonly timeout: number;
  readonly call: string;
}

export class Endpoint {
  readonly #slots: readonly Slot[];
  readonly #own: Slot;
  /** The ranks that must take what is posted before the next array can be. */
  #takers: readonly number[] = [];
  #isBusy = false;
  /** The end of the newest asynchronous gather: there is one at a time, in whichever group. */
  last: Promise<unknown> = Promise.resolve();

  constructor(
    readonly shared: SharedGroup,
    readonly rank: number,
  ) {
    this.#slots = Array.from({ length: shared.size }, (_, other) => slotOf(shared, other));
    this.#own = this.#slots[rank]!;
    if (Atomics.compareExchange(this.#own.ints, Int.joined, 0, 1) !== 0)
      throw new GroupError(`rank ${rank} of this memory has been taken by a thread before`, [rank], "workerGroup");
  }

  /** Gives up: no other rank waits for this one. */
  leave(state: number, culprit: number, reason: string): void {
    leave(this.#own, state, culprit, reason);
  }

  /** Gathers an array, part by part. */
  *gather(gathering: Gathering, values: Float64Array, options: GatherOptions, timeout: number): Waits<Float64Array> {
    const { call = "a gather" } = options;
    const deadline = { at: milliseconds() + timeout, timeout, call };
    if (this.#hasLeft(this.rank))
      throw new GroupError(`this rank, ${this.rank}, has left: ${reasonOf(this.#own)}`, [this.rank], call);
    if (this.#isBusy) throw new GroupError(`this rank is in another gather: await it before`, [this.rank], call);
    this.#isBusy = true;
    try {
      return yield* this.#gather(gathering, values, deadline);
    } catch (error) {
      const culprit = error instanceof GroupError ? (error.ranks[0] ?? -1) : -1;
      this.leave(State.gaveUp, culprit, error instanceof Error ? error.message : String(error));
      throw error;
    } finally {
      Atomics.store(this.#own.ints, Int.waitsFor, 0);
      this.#isBusy = false;
    }
  }

  *#gather({ members, id, next }: Gathering, values: Float64Array, deadline: Deadline): Waits<Float64Array> {
    const { capacity } = this.shared;
    const { length } = values;
    const result = new Float64Array(members.length * length);
    let begin = 0;
    do {
      const part = values.subarray(begin, begin + capacity);
      const tag = tagOf(id, next());
      yield* this.#post(members, tag, part, length, deadline);
      for (const [i, member] of members.entries()) {
        if (member === this.rank) result.set(part, i * length + begin);
        else {
          const target = result.subarray(i * length + begin, i * length + begin + part.length);
          yield* this.#take(member, members, tag, length, target, deadline);
        }
      }
      begin += capacity;
    } while (begin < length);
    return result;
  }

  /** Posts a part, once all others have taken the one before. */
  *#post(members: readonly number[], tag: bigint, part: Float64Array, length: number, deadline: Deadline): Waits<void> {
    const { ints, tag: ownTag, takenBy, values } = this.#own;
    const before = Atomics.load(ints, Int.post);
    for (const taker of this.#takers) {
      for (;;) {
        const taken = Atomics.load(takenBy, taker);
        // Nobody waits for one that has left, which may be of another group.
        if (taken === before || this.#hasLeft(taker)) break;
        this.#checkOthers(members, deadline, tag);
        yield this.#until({ array: takenBy, index: taker, value: taken }, taker, deadline);
      }
    }
    this.#checkOthers(members, deadline, tag);
    values.set(part);
    Atomics.store(ints, Int.length, length);
    Atomics.store(ints, Int.post, (before + 1) | 0);
    this.#takers = members.filter((rank) => rank !== this.rank);
    Atomics.store(ownTag, 0, tag);
    Atomics.notify(ownTag, 0);
  }

  /** Takes the part that another rank has posted. */
  *#take(
    member: number,
    members: readonly number[],
    tag: bigint,
    length: number,
    target: Float64Array,
    deadline: Deadline,
  ): Waits<void> {
    const slot = this.#slots[member]!;
    for (;;) {
      const posted = Atomics.load(slot.tag, 0);
      if (posted === tag) break;
      this.#checkOthers(members, deadline, tag);
      yield this.#until({ array: slot.tag, index: 0, value: posted }, member, deadline);
    }
    const got = Atomics.load(slot.ints, Int.length);
    if (got === length) target.set(slot.values.subarray(0, target.length));
    Atomics.store(slot.takenBy, this.rank, Atomics.load(slot.ints, Int.post));
    Atomics.notify(slot.takenBy, this.rank);
    if (got === length) return;
    const text = `rank ${member} gathers ${got} numbers, and this rank, ${this.rank}, ${length}`;
    throw new GroupError(text, [member], deadline.call);
  }

  #hasLeft(rank: number): boolean {
    return Atomics.load(this.#slots[rank]!.ints, Int.state) !== State.alive;
  }

  /** A wait for a rank that ends in time. */
  #until(
    wait: Wait,
    missing: number,
    { at, timeout, call }: Deadline,
  ): { readonly wait: Wait; readonly milliseconds: number } {
    const left = at - milliseconds();
    Atomics.store(this.#own.ints, Int.waitsFor, missing + 1);
    Atomics.store(this.#own.ints, Int.beat, Date.now() | 0);
    if (left > 0) return { wait, milliseconds: left };
    const last = this.#lastOf(missing, Math.min(LONGEST_BEAT, timeout / 2));
    throw new GroupError(`rank ${last} did not come within ${timeout} ms`, [last], call);
  }

  /**
   * The rank because of which a rank does not come: that may wait for another, and so on. A rank that has died in a wait does
   * not look any more whether it has ended.
   */
  #lastOf(missing: number, longest: number): number {
    const seen = new Set([missing]);
    for (let rank = missing; ;) {
      const { ints } = this.#slots[rank]!;
      const isWaiting = ((Date.now() - Atomics.load(ints, Int.beat)) | 0) < longest;
      const waitsFor = isWaiting ? Atomics.load(ints, Int.waitsFor) - 1 : -1;
      const next = this.#hasLeft(rank) ? ints[Int.culprit]! : waitsFor;
      if (next < 0 || next === this.rank) return rank;
      if (seen.has(next)) return missing;
      seen.add(next);
      rank = next;
    }
  }

  /** Throws if one of these ranks has left, and has not posted what is waited for. What it posted before can be taken. */
  #checkOthers(members: readonly number[], { call }: Deadline, tag: bigint): void {
    for (const member of members) {
      const slot = this.#slots[member]!;
      if (member === this.rank || !this.#hasLeft(member) || Atomics.load(slot.tag, 0) === tag) continue;
      const culprit = slot.ints[Int.culprit]!;
      const isOther = culprit >= 0 && culprit !== this.rank;
      const how = Atomics.load(slot.ints, Int.state) === State.gaveUp ? "gave up" : "has ended";
      throw new GroupError(`rank ${member} ${how}: ${reasonOf(slot)}`, [isOther ? culprit : member], call);
    }
  }
}
