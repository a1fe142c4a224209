// Updates of running statistics that wait until they are committed, by the token of their forward.
import { rangeError } from "../base/errors.js";
import { copyMoments } from "../kernels/moments.js";
import type { Saved } from "../values/saved.js";
import type { Moved } from "./running.js";

/** A forward whose update waits must leave the token to name it by. */
export function checkDeferrable(saves: boolean): void {
  if (saves) return;
  throw rangeError("ERR_BATCHNORM_OPTION", `"updateRunningStats" "later" needs a saved forward: pass "save" true`);
}

/** What moves, as copies. */
export function copyOf({ moments, update }: Moved): Moved {
  return { moments: copyMoments(moments), update };
}

export class DeferredUpdates {
  /** By a part of the token that its copies share. */
  readonly #byLife = new WeakMap<object, readonly Moved[]>();

  /** `moved` are copies. */
  add({ life }: Saved, moved: readonly Moved[]): void {
    this.#byLife.set(life, moved);
  }

  /** The updates of a token. They can be had once. */
  take(token: Saved | null | undefined): readonly Moved[] {
    const life = token?.life;
    const moved = life && this.#byLife.get(life);
    if (moved && this.#byLife.delete(life)) return moved;
    throw rangeError(
      "ERR_BATCHNORM_SAVED",
      `"saved" has no update that waits: it was committed, is of another layer, or of a forward without "updateRunningStats" "later"`,
    );
  }
}
