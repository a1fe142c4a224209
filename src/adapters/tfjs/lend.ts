// The WebAssembly kernels of this library in the memory of TensorFlow.js's WebAssembly backend, so that they work on its
// tensors in place. They need a part of it, which TensorFlow.js's own malloc sets aside, for their control blocks. A memory
// that is shared by threads cannot be lent: there, tensors are copied.
import { createArena, type Arena } from "../../backends/arena.js";
import type { BatchNorm } from "../../layer/batch-norm.js";
import type { Backend, Tensorflow } from "./tensorflow.js";

/** A sixteenth of it is for control blocks, which is enough for some 1000 channels. Tensors of more are copied. */
const BYTES = 4 << 20;

/** What was lent by a backend; null if nothing could be. It lives as long as the backend. */
const lent = new WeakMap<Backend, Arena | null>();

function lendBy({ wasm }: Backend): Arena | null {
  const memory = wasm?.asm?.memory;
  if (!(memory instanceof WebAssembly.Memory) || typeof wasm?._malloc !== "function") return null;
  // Of threads it is a SharedArrayBuffer.
  if (!(memory.buffer instanceof ArrayBuffer)) return null;
  const begin = wasm._malloc(BYTES) >>> 0;
  if (begin === 0) return null;
  try {
    return createArena(memory, { begin, end: begin + BYTES });
  } catch (error) {
    wasm._free?.(begin);
    // The program has made an arena there itself, in which the kernels work as well.
    if ((error as { code?: unknown }).code === "ERR_BATCHNORM_STATE") return null;
    throw error;
  }
}

/** Lets the kernels of a layer into the memory of the backend in use, where both are WebAssembly. */
export function lendMemory(tf: Tensorflow, bn: BatchNorm): void {
  const backend = tf.backend();
  if (lent.has(backend) || backend.wasm === undefined || bn.backend !== "wasm") return;
  lent.set(backend, lendBy(backend));
}
