// How long a token may be used: it serves one backward, and the memory that it refers to must not have been overwritten.
import { bufferOf } from "../base/check.js";
import { rangeError } from "../base/errors.js";
import type { Data } from "../base/types.js";

const used = new WeakSet<object>();
/** Tokens whose x was overwritten, because a backward wrote its gradInput there. */
const overwritten = new WeakSet<object>();

/** How often the memory that a layer owns (`reuse`) has been written to. */
const writes = new WeakMap<ArrayBufferLike, number>();
let layersOwnMemory = false;

/** The memory of layers that a token refers to, and the number of writes at the time of its forward. */
type Origins = readonly (readonly [ArrayBufferLike, number])[];
const origins = new WeakMap<object, Origins>();

/** Says that a layer owns this array, and will write to it in later calls. */
export function own(array: Data): void {
  layersOwnMemory = true;
  writes.set(bufferOf(array), 0);
}

/** Says that a call writes to these arrays. Tokens of earlier calls that refer to a layer's memory there end. */
export function noteWrites(...arrays: readonly (Data | null)[]): void {
  if (!layersOwnMemory) return;
  for (const array of arrays) {
    const count = array && writes.get(bufferOf(array));
    if (typeof count === "number") writes.set(bufferOf(array!), count + 1);
  }
}

/** Remembers which of the arrays that a token refers to are in memory that a layer owns. */
export function rememberOrigins(token: object, ...arrays: readonly (Data | null)[]): void {
  if (!layersOwnMemory) return;
  const found: (readonly [ArrayBufferLike, number])[] = [];
  for (const array of arrays) {
    const count = array && writes.get(bufferOf(array));
    if (typeof count === "number") found.push([bufferOf(array!), count]);
  }
  if (found.length > 0) origins.set(token, found);
}

/** Rejects a token that has been used, unless `again` allows that, or whose memory has been overwritten. */
export function checkAlive(token: object, again: boolean): void {
  if (again && overwritten.has(token))
    throw rangeError("ERR_BATCHNORM_SAVED", `"saved" lost its x: the backward's "out" was x`);
  if (!again && used.has(token))
    throw rangeError("ERR_BATCHNORM_SAVED", `"saved" was already used by a backward: run forward again`);
  if (origins.get(token)?.some(([buffer, count]) => writes.get(buffer) !== count)) {
    throw rangeError(
      "ERR_BATCHNORM_SAVED",
      `"saved" refers to the memory of a layer with "reuse", which a later call has overwritten: ` +
        `run the backward before that call, or pass "out"`,
    );
  }
}

/** A token serves one backward. A second one could read overwritten data, and its gradients would count twice. */
export function markUsed(token: object, isOverwritten: boolean): void {
  used.add(token);
  if (isOverwritten) overwritten.add(token);
}
