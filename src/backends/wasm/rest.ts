// When a call does without workers, since they cost more than they save: on a busy machine one may be stopped in its share,
// and the call waits longer than it would have worked. native/rest.h has the same rule.

/** In milliseconds. */
const MOST_CREDIT = 20;
const WORST_CREDIT = -0.1;
const LONGEST = 5000;

export class Rest {
  #credit = 0;
  #until = 0;

  lasts(now: number): boolean {
    return now < this.#until;
  }

  /** What the workers of a call saved it, or below 0 cost it. */
  reckon(saved: number, now: number): void {
    this.#credit = Math.min(this.#credit + saved, MOST_CREDIT);
    if (this.#credit > WORST_CREDIT) return;
    this.#until = now + Math.min(-30 * this.#credit, LONGEST);
    this.#credit = 0;
  }
}
