// A hash in plain JavaScript, for digests that browsers make too: `node:crypto` is not there, and `crypto.subtle` is
// asynchronous. It tells results apart and resists nobody who means to deceive.

/** Odd, so that multiplying by one loses no bit; different, so that the lanes do not agree on what they miss. */
const FIRST = 0x9e3779b1 | 0;
const SECOND = 0x85ebca6b | 0;

const hex = (word: number): string => (word >>> 0).toString(16).padStart(8, "0");

/**
 * 64 bits in two 32-bit lanes. For each word w, a lane h becomes h·k ^ (h·k >>> s) of h ^ w, with its own k and s: every
 * step is a bijection of h and of w, so that streams that differ in one word alone always differ in both lanes, and
 * others by chance in all but one of 2^64.
 */
export class Hash64 {
  private first = 0x243f6a88 | 0;
  private second = 0x13198a2e | 0;
  private words = 0;

  update(words: Uint32Array): void {
    let { first, second } = this;
    for (let i = 0; i < words.length; i++) {
      const word = words[i]!;
      first = Math.imul(first ^ word, FIRST);
      first ^= first >>> 15;
      second = Math.imul(second ^ word, SECOND);
      second ^= second >>> 13;
    }
    this.first = first;
    this.second = second;
    this.words += words.length;
  }

  /** Sixteen hexadecimal digits, of all words so far and of how many. */
  digest(): string {
    const end = Object.assign(new Hash64(), this);
    end.update(Uint32Array.of(this.words));
    return hex(end.first) + hex(end.second);
  }
}
