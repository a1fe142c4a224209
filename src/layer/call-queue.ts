// Asynchronous calls of one layer, which happen in the order in which they were made.
import { isTurnDue, ownTurn } from "../backends/off-thread/turns.js";
import { rangeError } from "../base/errors.js";
import { onAbort, throwIfAborted, type AbortSignalLike } from "../base/signal.js";

export class CallQueue {
  #last: Promise<void> = Promise.resolve();
  #pending = 0;

  /** The number of calls that wait or run. */
  get pending(): number {
    return this.#pending;
  }

  /** Does `run` when all earlier calls have ended, unless the signal drops it before. */
  add<T>(run: () => Promise<T>, signal: AbortSignalLike | null, most: number): Promise<T> {
    throwIfAborted(signal);
    if (this.#pending >= most) {
      const message = `${this.#pending} asynchronous calls of the layer have not ended, and "maxPending" is ${most}`;
      throw rangeError("ERR_BATCHNORM_BUSY", message);
    }
    this.#pending++;
    return new Promise<T>((resolve, reject) => {
      // The reason of a signal may be anything.
      const fail: (reason: unknown) => void = reject;
      let isDropped = false;
      let unlisten: (() => void) | null = null;
      const drop = (): void => {
        isDropped = true;
        this.#pending--;
        unlisten?.();
        fail(signal!.reason);
      };
      unlisten = signal && onAbort(signal, drop);
      this.#last = this.#last.then(async () => {
        if (isTurnDue()) await ownTurn();
        if (isDropped) return;
        unlisten?.();
        try {
          const value = await run();
          this.#pending--;
          resolve(value);
        } catch (error) {
          this.#pending--;
          fail(error);
        }
      });
    });
  }
}
