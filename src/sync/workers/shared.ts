// Memory that the threads of a group share, and what is where in it. Each rank has a slot: a board, on which it posts one array
// at a time for the others to take.
import { checkInteger, describe, isRecord, isShared } from "../../base/check.js";
import { typeError } from "../../base/errors.js";
import { checkRank } from "../ranks.js";

/**
 * The memory of a group of threads. It is plain data: post it to each worker, or pass it as `workerData`. Threads must be able
 * to share memory, which pages can if they are cross-origin isolated.
 */
export interface SharedGroup {
  /** The number of ranks. */
  readonly size: number;
  /** How many numbers a rank posts at once. Longer arrays are sent in parts. */
  readonly capacity: number;
  /** The memory itself. */
  readonly memory: SharedArrayBuffer;
}

/** The options of `sharedGroup`. */
export interface SharedGroupOptions {
  /**
   * How many numbers a rank posts at once. Longer arrays are sent in parts, each of which all ranks wait for. The default is
   * 32,768, which are 256 KB for each rank.
   */
  capacity?: number | undefined;
}

/** Fields of a slot, of 32 bits each; two of them make the tag of 64. */
export const Int = {
  /** The lower half of the tag of what is posted: a number that no two arrays of a rank have. The upper half names the group. */
  tag: 0,
  /** The length of the array of which this is a part. */
  length: 2,
  /** The number of what is posted, among all that this rank has posted. */
  post: 3,
  /** Whether a thread has this rank. */
  joined: 4,
  /** One of `State`. */
  state: 5,
  /** The rank because of which this one gave up, or −1. */
  culprit: 6,
  /** The rank that this one waits for, plus 1, or 0. */
  waitsFor: 7,
  /** When it last looked whether that has come, by the clock in milliseconds, in 32 bits. */
  beat: 8,
  /** The characters of the reason. */
  reason: 9,
} as const;

/** Whether a rank can still post. */
export const State = { alive: 0, gaveUp: 1, ended: 2 } as const;

/** The most characters of a reason. */
export const MOST_REASON = 112;
/** A slot begins with its fields. Then come the numbers of what each rank has taken, and the array. */
const FIELD_INTS = 128;
/** What a slot is a multiple of: a cache line. */
const LINE_INTS = 16;

const DEFAULT_CAPACITY = 32_768;

/** The board of a rank. */
export interface Slot {
  readonly ints: Int32Array;
  readonly tag: BigInt64Array;
  /** For each rank, the number of what it has taken last from this board. */
  readonly takenBy: Int32Array;
  readonly values: Float64Array;
}

/** The bytes of a slot before its array. */
function bytesBefore(size: number): number {
  return 4 * (FIELD_INTS + LINE_INTS * Math.ceil(size / LINE_INTS));
}

function bytesOfSlot(size: number, capacity: number): number {
  return bytesBefore(size) + 8 * capacity;
}

export function slotOf({ memory, size, capacity }: SharedGroup, rank: number): Slot {
  const at = rank * bytesOfSlot(size, capacity);
  return {
    ints: new Int32Array(memory, at, FIELD_INTS),
    tag: new BigInt64Array(memory, at, 1),
    takenBy: new Int32Array(memory, at + 4 * FIELD_INTS, size),
    values: new Float64Array(memory, at + bytesBefore(size), capacity),
  };
}

/** Says that a rank will post nothing more, and wakes those who wait for it. */
export function leave({ ints, tag }: Slot, state: number, culprit: number, reason: string): void {
  // The first reason is what others should know.
  if (Atomics.load(ints, Int.state) !== State.alive) return;
  const text = reason.slice(0, MOST_REASON);
  for (let i = 0; i < MOST_REASON; i++) ints[Int.reason + i] = i < text.length ? text.charCodeAt(i) : 0;
  ints[Int.culprit] = culprit;
  if (Atomics.compareExchange(ints, Int.state, State.alive, state) === State.alive) Atomics.notify(tag, 0);
}

/** Why a rank has left, as it said. */
export function reasonOf({ ints }: Slot): string {
  const codes = [...ints.subarray(Int.reason, Int.reason + MOST_REASON)];
  return String.fromCharCode(...codes.slice(0, codes.indexOf(0) < 0 ? MOST_REASON : codes.indexOf(0)));
}

/**
 * Makes the memory of a group of threads. Call it once, and post the result to the workers. Each of them calls `workerGroup`.
 *
 * @param size The number of ranks. The thread that makes the workers can be one of them.
 * @param options How much of an array is sent at once.
 * @returns The memory, as plain data.
 * @throws TypeError or RangeError if an argument is wrong, TypeError if threads cannot share memory here
 * (`ERR_BATCHNORM_TYPE`).
 */
export function sharedGroup(size: number, options: SharedGroupOptions = {}): SharedGroup {
  const ranks = checkInteger("size", size, 1);
  const { capacity = DEFAULT_CAPACITY } = options;
  const numbers = checkInteger("capacity", capacity, 1);
  if (typeof SharedArrayBuffer !== "function") {
    const isolated = "a page must be cross-origin isolated, by the headers COOP same-origin and COEP require-corp";
    throw typeError("ERR_BATCHNORM_TYPE", `threads cannot share memory here: ${isolated}`);
  }
  return { size: ranks, capacity: numbers, memory: new SharedArrayBuffer(ranks * bytesOfSlot(ranks, numbers)) };
}

/** Checks the memory of a group, as it came in a message. */
export function checkShared(value: unknown): SharedGroup {
  if (!isRecord(value))
    throw typeError("ERR_BATCHNORM_TYPE", `"shared" expected a SharedGroup, got ${describe(value)}`);
  const { size, capacity, memory } = value as Record<keyof SharedGroup, unknown>;
  const ranks = checkInteger("shared.size", size, 1);
  const numbers = checkInteger("shared.capacity", capacity, 1);
  if (!isShared(memory) || memory.byteLength !== ranks * bytesOfSlot(ranks, numbers))
    throw typeError("ERR_BATCHNORM_TYPE", `"shared.memory" expected the memory of ${ranks} ranks`);
  return { size: ranks, capacity: numbers, memory };
}

/**
 * Says that a rank has ended, so that the others get an error at once and need not wait for the time limit. `watchWorker` calls
 * it. What the rank posted before can still be taken.
 *
 * @param shared The memory of the group.
 * @param rank The rank that has ended.
 * @param reason Why, for messages of errors.
 */
export function endRank(shared: SharedGroup, rank: number, reason = "its thread has ended"): void {
  const own = checkShared(shared);
  leave(slotOf(own, checkRank("rank", rank, own.size)), State.ended, -1, reason);
}

/** A worker of Node. */
export interface NodeWorker {
  /**
   * Calls a function when the thread has ended.
   *
   * @param event The kind of the event.
   * @param listener The function, which gets the exit code.
   */
  once(event: "exit", listener: (code: number) => void): unknown;
}

/** A worker of a page. */
export interface PageWorker {
  /**
   * Calls a function at each error that nothing caught.
   *
   * @param event The kind of the event.
   * @param listener The function.
   */
  addEventListener(event: "error", listener: () => void): void;
}

/**
 * Watches the worker of a rank: when it ends, the other ranks get an error at once. In a page, only errors that nothing caught
 * can be seen, and no promises that were rejected. There, call `endRank` beside `terminate()`, and in the worker `group.abort`
 * where a promise is rejected.
 *
 * @param shared The memory of the group.
 * @param rank The rank of the worker.
 * @param worker A worker of Node, or of a page.
 */
export function watchWorker(shared: SharedGroup, rank: number, worker: NodeWorker | PageWorker): void {
  if ("once" in worker) worker.once("exit", (code) => endRank(shared, rank, `its thread has ended with code ${code}`));
  else worker.addEventListener("error", () => endRank(shared, rank, "its worker had an error"));
}
