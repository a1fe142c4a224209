// Meeting before a smaller group is made: MPI would wait for its ranks without a limit, and could not say who is missing.
import { milliseconds } from "../base/environment.js";
import { textOfRanks } from "../sync/ranks.js";
import { Kind, type MpiAddon } from "./addon.js";
import type { Failure } from "./messages.js";
import { sleep } from "./pauses.js";

/** FNV-1a, at least 1. */
function hash(text: string): number {
  let sum = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) sum = Math.imul(sum ^ text.charCodeAt(i), 0x01000193);
  return (sum >>> 0) + 1;
}

/** The meetings of the ranks of one communicator. */
export class Meetings {
  /** How often each list of ranks has met. */
  readonly #counts = new Map<string, number>();

  constructor(
    readonly addon: MpiAddon,
    readonly handle: number,
    readonly rank: number,
  ) {}

  /** Waits until all ranks of a list are here with the same list; null, or why they are not, if that is known. */
  meet(list: readonly number[], limit: number): Failure | "gave up" | null {
    const { addon, handle } = this;
    const text = list.join();
    const count = (this.#counts.get(text) ?? 0) + 1;
    this.#counts.set(text, count);
    const mark = hash(`${count}:${text}`);
    addon.tell(handle, Kind.splitting, mark, "");
    const start = milliseconds();
    for (;;) {
      const heard = addon.heard(handle, Kind.splitting);
      const ranks = list.filter((rank) => rank !== this.rank && heard[rank] !== mark);
      if (ranks.length === 0) return null;
      if (addon.givenUp(handle) >= 0) return "gave up";
      if (milliseconds() - start >= limit)
        return { message: `${textOfRanks(ranks)} did not come within ${limit} ms`, ranks };
      sleep(1);
    }
  }
}
