// A group of one rank: a layer that is made for many runs alone.
import { checkedRanks } from "./ranks.js";
import type { BlockingGroup } from "./group.js";

/**
 * Makes a group of this rank alone. A program for several ranks runs with it as it is.
 *
 * @returns The group, of size 1.
 */
export function singleGroup(): BlockingGroup {
  return {
    rank: 0,
    size: 1,
    allGather: (values) => values.slice(),
    allGatherAsync: (values) => Promise.resolve(values.slice()),
    split(ranks) {
      checkedRanks(ranks, { rank: 0, size: 1 });
      return singleGroup();
    },
    close: () => undefined,
  };
}
