// SHA-1 of files of any size, for the checksums in ONNX models. The engines' own digest takes a file as a whole, and pages
// without HTTPS do not have it. It finds damage, and keeps nobody out. https://www.rfc-editor.org/rfc/rfc3174
import type { Bytes } from "./bytes.js";

const BLOCK = 64;
/** As much is read at once: a number of whole blocks. */
const PART = 2 ** 20;
/** The function and the constant of each 20 of the 80 steps. */
const STEPS: readonly (readonly [mix: (b: number, c: number, d: number) => number, constant: number])[] = [
  [(b, c, d) => (b & c) | (~b & d), 0x5a827999],
  [(b, c, d) => b ^ c ^ d, 0x6ed9eba1],
  [(b, c, d) => (b & c) | (b & d) | (c & d), 0x8f1bbcdc],
  [(b, c, d) => b ^ c ^ d, 0xca62c1d6],
];

const rotate = (word: number, bits: number): number => (word << bits) | (word >>> (32 - bits));

/** Takes 64 bytes into the state of five words. */
function take(state: Int32Array, words: Int32Array, bytes: DataView, at: number): void {
  for (let t = 0; t < 16; t++) words[t] = bytes.getInt32(at + 4 * t);
  for (let t = 16; t < 80; t++) words[t] = rotate(words[t - 3]! ^ words[t - 8]! ^ words[t - 14]! ^ words[t - 16]!, 1);
  let [a, b, c, d, e] = state as unknown as [number, number, number, number, number];
  for (let t = 0; t < 80; t++) {
    const [mix, constant] = STEPS[Math.floor(t / 20)]!;
    const next = (rotate(a, 5) + mix(b, c, d) + e + words[t]! + constant) | 0;
    [e, d, c, b, a] = [d, c, rotate(b, 30), a, next];
  }
  [a, b, c, d, e].forEach((word, i) => (state[i]! += word));
}

/** Behind the last bytes: a bit, zeros, and the number of bits. */
function padded(rest: Uint8Array, size: number): DataView {
  const tail = new Uint8Array(rest.length + 9 > BLOCK ? 2 * BLOCK : BLOCK);
  tail.set(rest);
  tail[rest.length] = 0x80;
  const view = new DataView(tail.buffer);
  view.setBigUint64(tail.length - 8, BigInt(size) * 8n);
  return view;
}

/** The digest of a file in hexadecimal digits. No more than a part of it is in memory. */
export async function sha1Of(bytes: Bytes, size: number): Promise<string> {
  const state = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0);
  const words = new Int32Array(80);
  const whole = size - (size % BLOCK);
  for (let begin = 0; begin < whole; begin += PART) {
    const part = await bytes.read(begin, Math.min(PART, whole - begin));
    const view = new DataView(part.buffer, part.byteOffset, part.length);
    for (let at = 0; at < part.length; at += BLOCK) take(state, words, view, at);
  }
  const tail = padded(await bytes.read(whole, size - whole), size);
  for (let at = 0; at < tail.byteLength; at += BLOCK) take(state, words, tail, at);
  return Array.from(state, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}
