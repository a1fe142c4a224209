// How threads share a call: who takes which share. The words are in memory that all of them have. The thread that calls
// opens a call and works along; workers join it where there is a seat left, together with their first share, so that who
// has a seat has work.

/** The words, 32 bits each. */
export const Word = {
  /** Changes with every call and every message: workers wait on it. */
  call: 0,
  /** Shares that workers have done: the thread that calls waits on it. */
  done: 1,
  /** Shares and seats that nobody has taken yet, and the call's number. */
  open: 2,
  /** The arena and the number of shares of the call. */
  arena: 3,
  shares: 4,
  /** Not 0 after a kernel threw. */
  fault: 5,
  /** Never changes. */
  spare: 6,
  /** For each worker its `State`, then the number of messages that were sent to it. */
  states: 8,
  messages: 40,
} as const;
export const WORDS = 72;

export const State = { starting: 0, ready: 1, toEnd: 2, ended: 3 } as const;

/** A call's threads at most, which is more than most memories keep busy: 5 bits of a word. */
export const MOST_THREADS = 16;
const SEATS = 31;
/** The call's number, which is why nobody joins the call after the one that he looked at: 9 bits. */
const NUMBER_BITS = 5;
const NUMBERS = 511;
/** The other bits are the shares, which may sink below 0. */
const SHARE_BITS = 14;
const SHARE = 1 << SHARE_BITS;
export const MOST_SHARES = 1 << 11;

type Words = Int32Array;

/** Opens a call whose arena is known by this number. The last one is done. */
export function open(words: Words, arena: number, shares: number, seats: number): void {
  const number = ((words[Word.open]! >> NUMBER_BITS) + 1) & NUMBERS;
  Atomics.store(words, Word.done, 0);
  Atomics.store(words, Word.arena, arena);
  Atomics.store(words, Word.shares, shares);
  Atomics.store(words, Word.open, (shares << SHARE_BITS) + (number << NUMBER_BITS) + seats);
  announce(words);
}

/** Wakes the workers, for a call or a message. */
export function announce(words: Words): void {
  Atomics.add(words, Word.call, 1);
  Atomics.notify(words, Word.call);
}

/** How many shares are left, the first of which is the caller's now; not positive where there are none. */
export function claim(words: Words): number {
  return Atomics.sub(words, Word.open, SHARE) >> SHARE_BITS;
}

/** The same, with a seat, and where the arena is one that the worker knows. */
export function join(words: Words, knows: (arena: number) => boolean): number {
  for (;;) {
    const word = Atomics.load(words, Word.open);
    if (word < SHARE || (word & SEATS) === 0 || !knows(Atomics.load(words, Word.arena))) return 0;
    if (Atomics.compareExchange(words, Word.open, word, word - SHARE - 1) === word) return word >> SHARE_BITS;
  }
}

/** Seats that nobody took. */
export function seatsLeft(words: Words): number {
  return Atomics.load(words, Word.open) & SEATS;
}

/** Does shares, beginning with one that is claimed, until none is left. Returns how many. What throws is a fault. */
export function work(words: Words, first: number, run: (share: number) => void): number {
  const shares = Atomics.load(words, Word.shares);
  let done = 0;
  for (let left = first; left > 0; left = claim(words)) {
    done++;
    try {
      run(shares - left);
    } catch {
      Atomics.store(words, Word.fault, 1);
    }
  }
  return done;
}
