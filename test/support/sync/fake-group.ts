// Groups of ranks that all are in this thread: each rank is an asynchronous function. What every transport does, without one.
import { GroupError, type Group } from "../../../src/sync/group.js";

interface Arrival {
  readonly values: Float64Array;
  readonly resolve: (all: Float64Array) => void;
  readonly reject: (error: Error) => void;
}

/** What the gathers of all ranks were: how many there were, and how many numbers each rank sent. */
export interface Traffic {
  gathers: number;
  numbers: number;
}

/** Makes the ranks of a group. `traffic` is counted, if there is one. */
export function fakeGroups(size: number, traffic: Traffic = { gathers: 0, numbers: 0 }): Group[] {
  const queues: Arrival[][] = Array.from({ length: size }, () => []);

  /** Completes a gather that all ranks have come to. */
  function complete(): void {
    if (queues.some((queue) => queue.length === 0)) return;
    const arrivals = queues.map((queue) => queue.shift()!);
    const { length } = arrivals[0]!.values;
    traffic.gathers++;
    traffic.numbers += length;
    const wrong = arrivals.findIndex(({ values }) => values.length !== length);
    for (const { resolve, reject } of arrivals) {
      if (wrong >= 0) reject(new GroupError(`rank ${wrong} has another length`, [wrong], "a gather"));
      else resolve(Float64Array.from(arrivals.flatMap(({ values }) => [...values])));
    }
  }

  return queues.map((queue, rank) => ({
    rank,
    size,
    allGather: (values: Float64Array) =>
      new Promise<Float64Array>((resolve, reject) => {
        queue.push({ values: values.slice(), resolve, reject });
        complete();
      }),
  }));
}
