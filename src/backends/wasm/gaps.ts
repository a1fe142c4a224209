// Which bytes of an arena are free: gaps in the order of their places. Every gap begins at a multiple of the alignment,
// and no gap touches another.
import { align } from "./instance.js";

interface Gap {
  begin: number;
  end: number;
}

export class Gaps {
  #gaps: Gap[];

  constructor(readonly bytes: number) {
    this.#gaps = [{ begin: 0, end: bytes }];
  }

  /** The most bytes that one array can have now. */
  get largest(): number {
    return this.#gaps.reduce((most, { begin, end }) => Math.max(most, end - begin), 0);
  }

  /** The place of so many bytes, which must fit: the first gap that holds them. */
  take(bytes: number): number {
    const index = this.#gaps.findIndex(({ begin, end }) => end - begin >= bytes);
    const gap = this.#gaps[index]!;
    const { begin } = gap;
    gap.begin = Math.min(begin + align(bytes), gap.end);
    if (gap.begin === gap.end) this.#gaps.splice(index, 1);
    return begin;
  }

  /** Takes bytes back that were taken from this place on. */
  give(begin: number, bytes: number): void {
    const gaps = this.#gaps;
    const freed = { begin, end: Math.min(begin + align(bytes), this.bytes) };
    const after = gaps.findIndex((gap) => gap.begin > begin);
    const index = after < 0 ? gaps.length : after;
    const [before, behind] = [gaps[index - 1], gaps[index]];
    if (behind?.begin === freed.end) {
      freed.end = behind.end;
      gaps.splice(index, 1);
    }
    if (before?.end === freed.begin) before.end = freed.end;
    else gaps.splice(index, 0, freed);
  }

  /** Takes all bytes back. */
  reset(): void {
    this.#gaps = [{ begin: 0, end: this.bytes }];
  }
}
