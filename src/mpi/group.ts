// The ranks of MPI as a group: one gather at a time on a communicator, with a time limit, blocking or not.
import { checkArray } from "../base/check.js";
import { milliseconds } from "../base/environment.js";
import { messageOf, rangeError } from "../base/errors.js";
import { GroupError, type BlockingGroup, type GatherOptions } from "../sync/group.js";
import { checkedRanks, checkTimeout, textOfRanks } from "../sync/ranks.js";
import { Kind, Outcome, type MpiAddon } from "./addon.js";
import { late, mismatch, type Failure } from "./messages.js";
import { idle } from "./pauses.js";
import { Meetings } from "./splitting.js";

/** Who has waited so long tells the others, so that each can name those that did not come. */
const NOTICE_MS = 1000;

interface Call {
  readonly name: string;
  /** The time limit in milliseconds. */
  readonly limit: number;
  /** How long this rank waits until it tells the others. */
  readonly notice: number;
}

/** The ranks of MPI, or some of them. */
export interface MpiGroup extends BlockingGroup {
  /**
   * Gathers an array of each rank. It blocks until all ranks have come.
   *
   * @param values The array of this rank. All ranks pass arrays of equal length.
   * @param options The time limit, and what is gathered.
   * @returns The arrays of all ranks, one after another, in a new array.
   * @throws GroupError if a rank does not come in time, gave up, or passed another length (`ERR_BATCHNORM_GROUP`).
   */
  allGather(values: Float64Array, options?: GatherOptions): Float64Array;
  /**
   * Does the same without blocking. Calls are carried out one after another, in their order.
   *
   * @param values The array of this rank. It must not change before the promise is settled.
   * @param options The time limit, and what is gathered.
   * @returns The arrays of all ranks. The promise is rejected with the errors of `allGather`.
   */
  allGatherAsync(values: Float64Array, options?: GatherOptions): Promise<Float64Array>;
  /**
   * Makes a group of some of the ranks, with a communicator of its own. All of them call it with the same list, and the
   * others do not. Rank `ranks[i]` is rank i of the new group. It blocks until they have come.
   *
   * @param ranks Different ranks of this group. This rank is among them.
   * @returns The group of these ranks.
   * @throws GroupError if a rank does not come within the time limit of `mpiGroup`.
   */
  split(ranks: readonly number[]): MpiGroup;
  /**
   * Tells the other ranks that this one gives up. Their gathers throw a `GroupError` with this reason at once.
   *
   * @param reason Why, in at most 239 bytes. The rest is cut off.
   */
  abort(reason: string): void;
  /** Gives the communicator back. All ranks of the group should do so. MPI itself ends with the process. */
  close(): void;
  /** The MPI that runs, in its own words. */
  readonly library: string;
}

export class Communicator implements MpiGroup {
  readonly rank: number;
  readonly size: number;
  readonly #addon: MpiAddon;
  readonly #handle: number;
  readonly #timeout: number;
  #failure: GroupError | null = null;
  /** Gathers that do not block and are not done, and the last of them. */
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();
  readonly #meetings: Meetings;

  constructor(addon: MpiAddon, handle: number, timeout: number) {
    const [rank, size] = addon.ranks(handle);
    this.rank = rank!;
    this.size = size!;
    this.#addon = addon;
    this.#handle = handle;
    this.#timeout = timeout;
    this.#meetings = new Meetings(addon, handle, this.rank);
  }

  get library(): string {
    return this.#addon.library();
  }

  /** @throws GroupError if not all ranks have come when the time limit is over */
  opened(): this {
    if (this.#addon.wait(this.#handle, this.#timeout) === Outcome.done) return this;
    this.#addon.abandon();
    throw new GroupError(`not all of ${this.size} ranks came within ${this.#timeout} ms`, [], "mpiGroup");
  }

  allGather(values: Float64Array, options: GatherOptions = {}): Float64Array {
    const call = this.#read(values, options);
    this.#checkIdle();
    const number = this.#start(values, call);
    let outcome = this.#wait(call.notice, call);
    if (outcome === Outcome.pending) {
      this.#tellWaiting(number, call);
      outcome = this.#wait(call.limit - call.notice, call);
    }
    return this.#finish(outcome, number, call);
  }

  async allGatherAsync(values: Float64Array, options: GatherOptions = {}): Promise<Float64Array> {
    const call = this.#read(values, options);
    // One that has to queue may be detached before it is sent.
    const kept = this.#waiting === 0 ? values : values.slice();
    const before = this.#last;
    this.#waiting++;
    const gathered = this.#waiting === 1 ? this.#gather(kept, call) : before.then(() => this.#gather(kept, call));
    const settled = gathered.finally(() => this.#waiting--);
    this.#last = settled.catch(() => undefined);
    return settled;
  }

  /** What does not block must look again and again. It looks less often the longer it waits. */
  async #gather(values: Float64Array, call: Call): Promise<Float64Array> {
    if (this.#failure) throw this.#again(call);
    const number = this.#start(values, call);
    const start = milliseconds();
    let isTold = false;
    for (;;) {
      const outcome = this.#wait(0, call);
      const waited = milliseconds() - start;
      if (outcome !== Outcome.pending || waited >= call.limit) return this.#finish(outcome, number, call);
      if (!isTold && waited >= call.notice) {
        this.#tellWaiting(number, call);
        isTold = true;
      }
      await idle(waited);
    }
  }

  #read(values: Float64Array, { timeout, call = "a gather" }: GatherOptions): Call {
    checkArray("values", values, ["Float64Array"]);
    if (this.#failure) throw this.#again({ name: call });
    const limit = checkTimeout(timeout, this.#timeout);
    return { name: call, limit, notice: Math.min(NOTICE_MS, limit / 4) };
  }

  #checkIdle(): void {
    if (this.#waiting > 0)
      throw rangeError("ERR_BATCHNORM_STATE", "a gather of allGatherAsync is not done: await it first");
  }

  #again({ name }: Pick<Call, "name">): GroupError {
    const { message, ranks } = this.#failure!;
    return new GroupError(`the group cannot be used any more: ${message}`, ranks, name);
  }

  #start(values: Float64Array, call: Call): number {
    try {
      return this.#addon.start(this.#handle, values);
    } catch (error) {
      if ((error as { code?: unknown }).code !== "ERR_BATCHNORM_MEMORY") throw this.#broken(error, call);
      this.abort(messageOf(error));
      throw error;
    }
  }

  #wait(limit: number, call: Call): number {
    try {
      return this.#addon.wait(this.#handle, limit);
    } catch (error) {
      throw this.#broken(error, call);
    }
  }

  #tellWaiting(number: number, call: Call): void {
    try {
      this.#addon.tell(this.#handle, Kind.waiting, number, "");
    } catch (error) {
      throw this.#broken(error, call);
    }
  }

  /** An error that MPI returned. */
  #broken(error: unknown, call: Pick<Call, "name">): GroupError {
    this.#addon.abandon();
    return this.#fail({ message: messageOf(error), ranks: [] }, call.name);
  }

  #fail({ message, ranks }: Failure, call: string): GroupError {
    this.#failure ??= new GroupError(message, ranks, call);
    return this.#failure;
  }

  #finish(outcome: number, number: number, call: Call): Float64Array {
    const [addon, handle] = [this.#addon, this.#handle];
    if (outcome === Outcome.done) return addon.result(handle);
    // All ranks found that out, and none waits.
    if (outcome === Outcome.mismatch) throw this.#fail(mismatch(addon.lengths(handle)), call.name);
    addon.abandon();
    if (outcome === Outcome.gaveUp) throw this.#fail(this.#givenUp(), call.name);
    const failure = late(this.rank, addon.heard(handle, Kind.waiting), number, call.limit);
    this.#tellGivenUp(failure.ranks[0] ?? this.rank, failure.message);
    throw this.#fail(failure, call.name);
  }

  #givenUp(): Failure {
    const [addon, handle] = [this.#addon, this.#handle];
    const rank = addon.givenUp(handle);
    // The rank because of which it did, plus 1.
    const cause = addon.heard(handle, Kind.gaveUp)[rank]! - 1;
    return { message: `${textOfRanks([rank])} gave up: ${addon.givenUpText(handle)}`, ranks: [cause] };
  }

  #tellGivenUp(cause: number, reason: string): void {
    try {
      this.#addon.tell(this.#handle, Kind.gaveUp, cause + 1, reason);
    } catch {
      // The others have their own time limits.
    }
  }

  split(ranks: readonly number[]): MpiGroup {
    const list = checkedRanks(ranks, this);
    if (this.#failure) throw this.#again({ name: "split" });
    this.#checkIdle();
    try {
      const failure = this.#meetings.meet(list, this.#timeout);
      if (failure !== null) {
        this.#addon.abandon();
        throw this.#fail(failure === "gave up" ? this.#givenUp() : failure, "split");
      }
      return new Communicator(this.#addon, this.#addon.split(this.#handle, Int32Array.from(list)), this.#timeout);
    } catch (error) {
      throw error instanceof GroupError ? error : this.#broken(error, { name: "split" });
    }
  }

  abort(reason: string): void {
    if (this.#failure) return;
    this.#addon.abandon();
    this.#fail({ message: `this rank gave up: ${reason}`, ranks: [this.rank] }, "abort");
    this.#tellGivenUp(this.rank, reason);
  }

  close(): void {
    this.#checkIdle();
    const hasFailed = this.#failure !== null;
    this.#fail({ message: "it was closed", ranks: [] }, "close");
    // What MPI may still write stays.
    if (!hasFailed) this.#addon.close(this.#handle);
  }
}
