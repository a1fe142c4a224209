// Groups of threads that share memory.
import { typeError } from "../../base/errors.js";
import { GroupError, type BlockingGroup, type GatherOptions } from "../group.js";
import { DEFAULT_TIMEOUT, checkRank, checkTimeout, checkedRanks } from "../ranks.js";
import { Endpoint, type Gathering, type Waits } from "./endpoint.js";
import { State, checkShared, type SharedGroup } from "./shared.js";
import { block, pause } from "./waiting.js";

/** The options of `workerGroup`. */
export interface WorkerGroupOptions {
  /** How many milliseconds a gather waits for the other ranks, if its call does not say so. The default is 60,000. */
  timeout?: number | undefined;
}

/** A group of threads: it can block, and need not. */
export interface WorkerGroup extends BlockingGroup {
  /**
   * Sends an array to all ranks, and returns the arrays of all of them, without blocking.
   *
   * @param values The array of this rank.
   * @param options The time limit, and what is gathered.
   */
  allGatherAsync(values: Float64Array, options?: GatherOptions): Promise<Float64Array>;
  /**
   * Makes a group of some of the ranks. Every rank of `ranks` calls it with the same list, and the others do not. Rank
   * `ranks[i]` is rank i of the new group.
   *
   * @param ranks The ranks of the new group, of which this is one.
   */
  split(ranks: readonly number[]): WorkerGroup;
  /**
   * Tells the other ranks that this one gives up. Their next gather with it throws a `GroupError` with this reason.
   *
   * @param reason Why, for messages of errors.
   */
  abort(reason: string): void;
  /** Says that this rank makes no more gathers. */
  close(): void;
}

/** The FNV-1a hash of a text, which tells groups apart. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash | 0;
}

class Threads implements WorkerGroup {
  readonly rank: number;
  readonly size: number;
  readonly #gathering: Gathering;
  #number = 0;
  /** How often each list of ranks was split off. */
  readonly #splits = new Map<string, number>();

  constructor(
    private readonly endpoint: Endpoint,
    private readonly members: readonly number[],
    private readonly name: string,
    private readonly timeout: number,
  ) {
    this.rank = members.indexOf(endpoint.rank);
    this.size = members.length;
    // 0 would be the tag of a slot in which nothing was posted.
    this.#gathering = { members, id: hashOf(name), next: () => ++this.#number };
  }

  #gather(values: Float64Array, options: GatherOptions): Waits<Float64Array> {
    return this.endpoint.gather(this.#gathering, values, options, checkTimeout(options.timeout, this.timeout));
  }

  /** An error names ranks of this group. */
  #translated(error: unknown): unknown {
    const isWhole = this.members.length === this.endpoint.shared.size;
    if (isWhole || !(error instanceof GroupError)) return error;
    const ranks = error.ranks.map((rank) => this.members.indexOf(rank)).filter((rank) => rank >= 0);
    const own = new GroupError(
      `among the ranks ${this.members.join(", ")} of the memory, ${error.message}`,
      ranks,
      "a subset",
    );
    own.cause = error;
    return own;
  }

  allGather(values: Float64Array, options: GatherOptions = {}): Float64Array {
    const waits = this.#gather(values, options);
    try {
      for (;;) {
        const { done, value } = waits.next();
        if (done) return value;
        blockOr(value.wait, value.milliseconds);
      }
    } catch (error) {
      // The gather gives back its slot.
      waits.return(undefined as never);
      throw this.#translated(error);
    }
  }

  allGatherAsync(values: Float64Array, options: GatherOptions = {}): Promise<Float64Array> {
    const run = this.endpoint.last.then(() => this.#allGatherAsync(values, options));
    this.endpoint.last = run.catch(() => undefined);
    return run;
  }

  async #allGatherAsync(values: Float64Array, options: GatherOptions): Promise<Float64Array> {
    const waits = this.#gather(values, options);
    try {
      for (;;) {
        const { done, value } = waits.next();
        if (done) return value;
        await pause(value.wait, value.milliseconds);
      }
    } catch (error) {
      throw this.#translated(error);
    }
  }

  split(ranks: readonly number[]): WorkerGroup {
    const members = checkedRanks(ranks, this).map((rank) => this.members[rank]!);
    const key = members.join();
    const times = (this.#splits.get(key) ?? 0) + 1;
    this.#splits.set(key, times);
    return new Threads(this.endpoint, members, `${this.name}/${key}#${times}`, this.timeout);
  }

  abort(reason: string): void {
    this.endpoint.leave(State.gaveUp, -1, reason);
  }

  close(): void {
    this.endpoint.leave(State.ended, -1, "it has closed its group");
  }
}

function blockOr(wait: Parameters<typeof block>[0], milliseconds: number): void {
  try {
    block(wait, milliseconds);
  } catch {
    const text = "this thread must not block, as the main thread of a page: use forwardAsync and backwardAsync";
    throw typeError("ERR_BATCHNORM_TYPE", text);
  }
}

/**
 * Joins a group of threads that share memory, such as `worker_threads` of Node or the workers of a page. It blocks with
 * `Atomics.wait`. On the main thread of a page, which must not block, use `forwardAsync` and `backwardAsync`.
 *
 * @example
 * ```ts
 * // in the thread that makes the workers
 * const shared = sharedGroup(4);
 * for (let rank = 0; rank < 4; rank++)
 *   watchWorker(shared, rank, new Worker("./train.js", { workerData: { shared, rank } }));
 * // in each worker
 * const group = workerGroup(workerData.shared, workerData.rank);
 * ```
 *
 * @param shared The memory of the group, as `sharedGroup` made it.
 * @param rank The rank of this thread. Each rank can be joined once.
 * @param options The time limit.
 * @returns The group.
 * @throws TypeError or RangeError if an argument is wrong, GroupError if another thread has this rank
 * (`ERR_BATCHNORM_GROUP`).
 */
export function workerGroup(shared: SharedGroup, rank: number, options: WorkerGroupOptions = {}): WorkerGroup {
  const own = checkShared(shared);
  const endpoint = new Endpoint(own, checkRank("rank", rank, own.size));
  const members = Array.from({ length: own.size }, (_, other) => other);
  return new Threads(endpoint, members, "all", checkTimeout(options.timeout, DEFAULT_TIMEOUT));
}
