// The seam to a transport: what carries arrays between the ranks of a group. A transport is one class with `allGather`.
import type { ErrorCode } from "../base/errors.js";

/** What a transport is told about one gather. It may ignore all of it. */
export interface GatherOptions {
  /**
   * The time limit in milliseconds. When it has passed, the gather should throw a `GroupError` that names the ranks that did
   * not come. Infinity means that there is no limit. The default is the transport's own.
   */
  readonly timeout?: number | undefined;
  /** What is gathered, such as `"forward (call 12)"`. It is meant for messages of errors. */
  readonly call?: string | undefined;
}

/**
 * Ranks that exchange arrays: worker threads, processes or the ranks of MPI. `rank`, `size` and `allGather` are all that
 * a transport must have, so that anybody can write one.
 *
 * All ranks of a group must make the same calls in the same order.
 *
 * @example
 * ```ts
 * const alone: Group = { rank: 0, size: 1, allGather: (values) => values.slice() };
 * ```
 */
export interface Group {
  /** The number of this rank, from 0 to size − 1. */
  readonly rank: number;
  /** How many ranks there are. */
  readonly size: number;
  /**
   * Sends an array to all ranks, and returns the arrays of all of them, one after another, in the order of the ranks. All
   * ranks pass arrays of the same length. The result has `size` times that length.
   *
   * A transport that blocks until all ranks have come returns the array itself. Any other returns a promise, and then
   * `forwardAsync` and `backwardAsync` of a layer must be used.
   *
   * It must not keep `values`, which the caller may overwrite after a blocking call, or once the promise is settled. The
   * result must be a new array. It may be called with an empty array.
   *
   * @param values The array of this rank.
   * @param options The time limit, and what is gathered.
   * @throws GroupError if a rank does not come in time, has ended, or gave up (`ERR_BATCHNORM_GROUP`). After that the group
   * cannot be used any more, because its ranks may be at different calls.
   */
  allGather(values: Float64Array, options?: GatherOptions): Float64Array | Promise<Float64Array>;
  /**
   * The same, without blocking. A transport whose `allGather` blocks may have it. `forwardAsync` and `backwardAsync` of a
   * layer use it where it is there.
   *
   * @param values The array of this rank.
   * @param options The time limit, and what is gathered.
   */
  allGatherAsync?(values: Float64Array, options?: GatherOptions): Promise<Float64Array>;
  /**
   * Makes a group of some of the ranks. Every rank of `ranks` calls it with the same list, and the others do not. Rank
   * `ranks[i]` is rank i of the new group.
   *
   * @param ranks The ranks of the new group, of which this is one.
   */
  split?(ranks: readonly number[]): Group | Promise<Group>;
  /**
   * Tells the other ranks that this one gives up: their next gather, and the one that they wait in, should throw a
   * `GroupError` with this reason at once. Nobody needs to wait for the time limit then.
   *
   * @param reason Why, for messages of errors.
   */
  abort?(reason: string): void;
  /** Gives back what the transport holds. The group cannot be used any more. */
  close?(): void | Promise<void>;
}

/** A group whose `allGather` blocks. `forward` and `backward` of a layer need one. */
export interface BlockingGroup extends Group {
  /**
   * Sends an array to all ranks, and returns the arrays of all of them in the order of the ranks. It blocks.
   *
   * @param values The array of this rank.
   * @param options The time limit, and what is gathered.
   */
  allGather(values: Float64Array, options?: GatherOptions): Float64Array;
}

/**
 * A gather that failed: a rank did not come in time, has ended, threw an error of its own, or made another call. Every rank
 * gets one, and no running statistics have moved. The group cannot be used any more.
 */
export class GroupError extends Error {
  /** The name of this class. */
  override readonly name = "GroupError";
  /** The code of this error, which is always `"ERR_BATCHNORM_GROUP"`. */
  readonly code: ErrorCode = "ERR_BATCHNORM_GROUP";

  /**
   * Makes the error. Transports throw it.
   *
   * @param message What happened. The call is named behind it.
   * @param ranks The ranks because of which the gather failed.
   * @param call What was gathered, such as `"forward (call 12)"`.
   */
  constructor(
    message: string,
    /** The ranks because of which the gather failed, in ascending order. It is empty if nobody knows. */
    readonly ranks: readonly number[],
    /** What was gathered, such as `"forward (call 12)"`. */
    readonly call: string,
  ) {
    super(`${message}, in ${call}`);
  }
}
