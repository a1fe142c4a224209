// The arguments of createArena: a number of bytes, or a memory and a part of it.
import { checkBoolean, checkInteger, describe } from "../base/check.js";
import { readOptions } from "../base/options.js";
import { messageOf, rangeError, typeError } from "../base/errors.js";
import { ORDINARY, selectBackend } from "./backend.js";
import { ArenaMemory, controlBytesIn, hasArena, mostArenaBytes } from "./wasm/arena-memory.js";
import { PAGE, align } from "./wasm/instance.js";
import { canShare } from "./wasm/threads.js";
import { loadedModule, type LoadedModule } from "./wasm/wasm.js";

/** @throws BackendUnavailableError if WebAssembly cannot be used here. */
function checkedModule(): LoadedModule {
  selectBackend(ORDINARY, "wasm");
  return loadedModule();
}

export function arenaOfBytes(given: unknown, options: unknown): ArenaMemory {
  const bytes = checkInteger("bytes", given, 1);
  const { shared = false, begin, end } = readOptions(options, ["shared", "begin", "end"]);
  if ((begin ?? end) !== undefined)
    throw rangeError("ERR_BATCHNORM_OPTION", `"range" needs a memory of your own, got ${bytes} bytes`);
  const isWanted = checkBoolean("shared", shared);
  const { module, ownBytes } = checkedModule();
  const isShared = isWanted && canShare();
  const most = mostArenaBytes(ownBytes, isShared);
  if (bytes > most) throw rangeError("ERR_BATCHNORM_VALUE", `"bytes" expected at most ${most}, got ${bytes}`);
  try {
    return ArenaMemory.make(module, ownBytes, bytes, isShared);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const expected = `"bytes" expected what the engine can set aside, got ${bytes}`;
    throw rangeError("ERR_BATCHNORM_VALUE", `${expected}: ${error.message}`);
  }
}

/** The buffer of a memory of any realm, by the built-in getter. Anything else, proxies too, has none. */
function bufferIn(given: object): ArrayBufferLike | null {
  try {
    return Reflect.get(WebAssembly.Memory.prototype, "buffer", given);
  } catch {
    return null;
  }
}

function checkMemory(given: object): WebAssembly.Memory {
  const buffer = bufferIn(given);
  if (buffer === null)
    throw typeError("ERR_BATCHNORM_TYPE", `"memory" expected a WebAssembly.Memory, got ${describe(given)}`);
  // The tag is compared, because the memory may come from another realm.
  if (Object.prototype.toString.call(buffer) !== "[object ArrayBuffer]")
    throw typeError("ERR_BATCHNORM_TYPE", `"memory" expected a memory that is not shared, got a shared one`);
  const memory = given as WebAssembly.Memory;
  if (hasArena(memory)) throw rangeError("ERR_BATCHNORM_STATE", "an arena is in the memory already");
  return memory;
}

/** The part of a memory, from where the arena can really begin. */
function checkRange(given: unknown, size: number, ownBytes: number): { begin: number; end: number } {
  const { begin = 0, end = size } = readOptions(given, ["begin", "end"], "range");
  const range = { begin: checkInteger("range.begin", begin, 0), end: checkInteger("range.end", end, 0) };
  if (range.end > size)
    throw rangeError(
      "ERR_BATCHNORM_VALUE",
      `"range.end" expected at most the memory's ${size} bytes, got ${range.end}`,
    );
  const least = align(range.begin) + align(ownBytes) + 2 * PAGE;
  if (range.end < least)
    throw rangeError(
      "ERR_BATCHNORM_VALUE",
      `"memory" expected a part that ends at ${least} or later, got ${range.end}`,
    );
  return range;
}

/** Whether these bytes, the first of a memory, are 0. Modules have their own data there. */
function areZero(buffer: ArrayBufferLike, bytes: number): boolean {
  const words = new Uint32Array(buffer, 0, bytes / 4);
  for (let i = 0; i < words.length; i++) if (words[i] !== 0) return false;
  return true;
}

export function arenaOfMemory(given: object, options: unknown): ArenaMemory {
  const memory = checkMemory(given);
  const { module, ownBytes } = checkedModule();
  const { begin, end } = checkRange(options, memory.buffer.byteLength, ownBytes);
  if (begin === 0 && !areZero(memory.buffer, align(ownBytes))) {
    const expected = `"memory" expected zeros in its first ${align(ownBytes)} bytes, got other data`;
    throw rangeError("ERR_BATCHNORM_VALUE", `${expected}: say where the arena may begin with "begin"`);
  }
  const controlBytes = controlBytesIn(end - begin);
  try {
    return ArenaMemory.lend(module, memory, { begin, end, controlBytes });
  } catch (error) {
    throw rangeError("ERR_BATCHNORM_VALUE", `"memory" cannot be used: ${messageOf(error)}`);
  }
}
