// The loops of the self-check over its data. A page waits for them, and JavaScript that has not been compiled yet takes
// many times as long.

/**
 * The sequence of src/backends/self-check/inputs.ts, in float64: the first channel times `huge`, the last one times
 * `tiny`. Of every n values of a channel, so many as make a first shift of `samples` get `sampled` added, the others
 * `unsampled`.
 */
export function fillSequence(
  at: usize, outer: u32, channels: u32, inner: u32, seed: u32, huge: f64, tiny: f64,
  samples: u32, sampled: f64, unsampled: f64,
): void {
  const run: u32 = inner < 16 ? 1 : inner, n = outer * run;
  for (let o: u32 = 0; o < outer; o++) {
    for (let c: u32 = 0; c < channels; c++) {
      const scale = c == 0 ? huge : c == channels - 1 ? tiny : 1;
      for (let i: u32 = 0; i < inner; i++, at += 8) {
        const index = o * run + i % run;
        seed = seed * 1664525 + 1013904223;
        const value = <f64><i32>seed * <f64>(1 << (seed & 15)) * (1.0 / 549755813888.0);
        const isSampled = (index * samples + n - 1) / n * n / samples == index;
        store<f64>(at, (value + (isSampled ? sampled : unsampled)) * scale);
      }
    }
  }
}

@inline
function step(hash: v128, word: v128): v128 {
  hash = i32x4.add(hash, word);
  hash = v128.xor(hash, i32x4.shl(hash, 13));
  return v128.xor(hash, i32x4.shr_u(hash, 17));
}

/** Adds arrays of `bytes` bytes, side by side, each in words to the 16 lanes of a hash, and a last half of a word. */
export function hash(lanes: usize, at: usize, bytes: usize, arrays: usize): void {
  for (; arrays > 0; arrays--) {
    const end = at + bytes;
    let lane: usize = 0;
    for (; at + 16 <= end; at += 16) {
      v128.store(lanes + lane, step(v128.load(lanes + lane), v128.load(at)));
      lane = (lane + 16) & 63;
    }
    for (lane += lanes; at < end; at += 4, lane += 4) {
      const word = at + 4 > end ? i32x4.splat(load<u16>(at)) : v128.load32_splat(at);
      v128.store32_lane(lane, step(v128.load32_splat(lane), word), 0);
    }
  }
}

/** Gives every NaN from `at` to `end`, or to 12 bytes past it, one payload: the contract leaves it open. */
export function unifyNaN(at: usize, end: usize, size: usize): void {
  for (; at < end; at += 16) {
    const value = v128.load(at);
    v128.store(at, size == 8
      ? v128.bitselect(value, f64x2.splat(NaN), f64x2.eq(value, value))
      : v128.bitselect(value, f32x4.splat(NaN), f32x4.eq(value, value)));
  }
}
