// How long a token may be used: it serves one backward, and the memory that it refers to must not have been overwritten.
// Its marks are part of the token, one byte each. Copies by spread share them, structured clones copy them, and another
// instance of the library reads them too. Unlike objects, arrays of bytes cannot be frozen, and have no setters.
import { bufferOf } from "../base/check.js";
import { rangeError } from "../base/errors.js";
import type { Data } from "../base/types.js";

/** Marks of a token: a backward has used it, or the backward wrote gradInput over its x. The mark of a memory is the latter. */
const USED = 1;
const OVERWRITTEN = 2;

/** The memory that layers own (`reuse`), with the mark of all tokens that refer to its present content. */
const owned = new WeakMap<ArrayBufferLike, Uint8Array | null>();
let layersOwnMemory = false;

/** Says that a layer owns this array, and will write to it in later calls. */
export function own(array: Data): void {
  layersOwnMemory = true;
  owned.set(bufferOf(array), null);
}

/** Says that a call writes to these arrays. Tokens of earlier calls that refer to a layer's memory there end. */
export function noteWrites(...arrays: readonly (Data | null)[]): void {
  if (!layersOwnMemory) return;
  for (const array of arrays) {
    const mark = array && owned.get(bufferOf(array));
    if (!mark) continue;
    mark[0] = OVERWRITTEN;
    owned.set(bufferOf(array), null);
  }
}

/** The marks of a layer's memory that these arrays are in. Without any it is null. */
export function marksOf(...arrays: readonly (Data | null)[]): readonly Uint8Array[] | null {
  if (!layersOwnMemory) return null;
  const buffers = arrays.flatMap((array) => (array && owned.has(bufferOf(array)) ? [bufferOf(array)] : []));
  for (const buffer of buffers) if (!owned.get(buffer)) owned.set(buffer, new Uint8Array(1));
  return buffers.length === 0 ? null : buffers.map((buffer) => owned.get(buffer)!);
}

/** Rejects a token that has been used, unless `again` allows that, or whose memory has been overwritten. */
export function checkAlive(life: Uint8Array, memory: readonly Uint8Array[] | null, again: boolean): void {
  if (again && life[0] === OVERWRITTEN)
    throw rangeError("ERR_BATCHNORM_SAVED", `"saved" lost its x: the backward's "out" was x`);
  if (!again && life[0])
    throw rangeError("ERR_BATCHNORM_SAVED", `"saved" was already used by a backward: run forward again`);
  if (memory?.some((mark) => mark[0])) {
    throw rangeError(
      "ERR_BATCHNORM_SAVED",
      `"saved" refers to the memory of a layer with "reuse", which a later call has overwritten: ` +
        `run the backward before that call, or pass "out"`,
    );
  }
}

/** A token serves one backward. A second one could read overwritten data, and its gradients would count twice. */
export function markUsed(life: Uint8Array, isOverwritten: boolean): void {
  life[0] = isOverwritten ? OVERWRITTEN : USED;
}

/** Says that no backward has used a token after all. */
export function markUnused(life: Uint8Array): void {
  life[0] = 0;
}
