// Updates of running statistics that wait until they are committed, by the token of their forward.
import { rangeError } from "../base/errors.js";
import { copyMoments, type WholeMoments } from "../kernels/moments.js";
import type { Saved } from "../values/saved.js";
import type { Update } from "./running.js";

interface Deferred {
  /** null where nothing is to be updated. */
  readonly moments: WholeMoments | null;
  readonly update: Update;
}

/** A forward whose update waits must leave the token to name it by. */
export function checkDeferrable(saves: boolean): void {
  if (saves) return;
  throw rangeError("ERR_BATCHNORM_OPTION", `"updateRunningStats" "later" needs a saved forward: pass "save" true`);
}

export class DeferredUpdates {
  /** By a part of the token that its copies share. */
  readonly #byLife = new WeakMap<object, Deferred>();

  add({ life }: Saved, moments: WholeMoments | null, update: Update): void {
    this.#byLife.set(life, { moments: moments && copyMoments(moments), update });
  }

  /** The update of a token. It can be had once. */
  take(token: Saved | null | undefined): Deferred {
    const life = token?.life;
    const deferred = life && this.#byLife.get(life);
    if (deferred && this.#byLife.delete(life)) return deferred;
    throw rangeError(
      "ERR_BATCHNORM_SAVED",
      `"saved" has no update that waits: it was committed, is of another layer, or of a forward without "updateRunningStats" "later"`,
    );
  }
}
