// The calls on a group: their numbers, their order, and what happens after a gather that failed. A blocking call and an
// asynchronous one make the same steps.
import { messageOf } from "../base/errors.js";
import { GroupError, type GatherOptions, type Group } from "./group.js";
import type { Steps } from "./protocol.js";
import { textOfRanks } from "./ranks.js";

/** What is known of a group, whichever layers use it. */
class GroupCalls {
  /** Calls so far. */
  #number = 0;
  /** Asynchronous calls that have not ended. */
  pending = 0;
  /** The end of the newest asynchronous call. */
  last: Promise<unknown> = Promise.resolve();
  #broken: GroupError | null = null;

  next(): number {
    return ++this.#number;
  }

  /** Ranks may be at different calls after a gather that failed. */
  breakBy(error: GroupError): void {
    this.#broken ??= error;
  }

  check(call: string): void {
    const { message, ranks } = this.#broken ?? {};
    if (message !== undefined) throw new GroupError(`the group cannot be used any more: ${message}`, ranks!, call);
  }
}

const groups = new WeakMap<Group, GroupCalls>();

export function callsOf(group: Group): GroupCalls {
  let calls = groups.get(group);
  if (!calls) groups.set(group, (calls = new GroupCalls()));
  return calls;
}

/** Limits, and what they are limits of. */
export type Limits = GatherOptions & { readonly call: string };

/** A transport's error as one of the group, which cannot be used any more. */
function broken(group: Group, error: unknown, call: string): GroupError {
  const own =
    error instanceof GroupError ? error : new GroupError(`the transport failed: ${messageOf(error)}`, [], call);
  if (own !== error) own.cause = error;
  callsOf(group).breakBy(own);
  group.abort?.(own.message);
  return own;
}

/** What a transport returned, checked: other code may have written it. */
function checkGathered(all: unknown, { length }: Float64Array, { size }: Group, call: string): Float64Array {
  if (all instanceof Float64Array && all.length === size * length) return all;
  const got = all instanceof Float64Array ? `${all.length} elements` : typeof all;
  throw new GroupError(`the transport returned ${got} in the place of ${size * length} elements`, [], call);
}

/** Makes the steps of a call, each by a gather that blocks. */
export function runBlocking<R>(group: Group, steps: Steps<R>, limits: Limits): R {
  const calls = callsOf(group);
  calls.check(limits.call);
  if (calls.pending > 0)
    throw new GroupError(
      `an asynchronous call is still under way: await it, or use forwardAsync and backwardAsync`,
      [group.rank],
      limits.call,
    );
  let step = steps.next();
  while (!step.done) step = steps.next(gatherNow(group, step.value, limits));
  return step.value;
}

function gatherNow(group: Group, values: Float64Array, limits: Limits): Float64Array {
  try {
    const all: unknown = group.allGather(values, limits);
    if (!(all instanceof Promise)) return checkGathered(all, values, group, limits.call);
    // The other ranks get their answer; here nobody waits for it.
    all.catch(() => undefined);
  } catch (error) {
    throw broken(group, error, limits.call);
  }
  const text = `this group does not block: use forwardAsync and backwardAsync`;
  throw broken(group, new GroupError(text, [group.rank], limits.call), limits.call);
}

/** Makes the steps of a call after those of earlier asynchronous calls. */
export function runAsync<R>(group: Group, steps: Steps<R>, limits: Limits): Promise<R> {
  const calls = callsOf(group);
  calls.pending++;
  const run = calls.last.then(async () => {
    try {
      calls.check(limits.call);
      let step = steps.next();
      while (!step.done) step = steps.next(await gatherLater(group, step.value, limits));
      return step.value;
    } finally {
      calls.pending--;
    }
  });
  calls.last = run.catch(() => undefined);
  return run;
}

async function gatherLater(group: Group, values: Float64Array, limits: Limits): Promise<Float64Array> {
  const timer = new Timer(limits, group);
  try {
    const all = group.allGatherAsync ? group.allGatherAsync(values, limits) : group.allGather(values, limits);
    return checkGathered(await Promise.race([all, timer.expired]), values, group, limits.call);
  } catch (error) {
    throw broken(group, error, limits.call);
  } finally {
    timer.stop();
  }
}

/** The longest delay of timers. */
const LONGEST = 2 ** 31 - 1;

/** For transports without a limit of their own. The others know which rank is missing, and so get a little more time. */
class Timer {
  readonly expired: Promise<never>;
  #stop: () => void = () => undefined;

  constructor({ timeout, call }: Limits, { rank, size }: Group) {
    this.expired = new Promise<never>((_, reject) => {
      if (timeout === undefined || timeout > LONGEST / 2) return;
      const others = Array.from({ length: size }, (_, other) => other).filter((other) => other !== rank);
      const error = new GroupError(`one of ${textOfRanks(others)} did not come within ${timeout} ms`, [], call);
      const timer = setTimeout(() => reject(error), timeout * 1.1 + 200);
      this.#stop = () => clearTimeout(timer);
    });
    this.expired.catch(() => undefined);
  }

  stop(): void {
    this.#stop();
  }
}
