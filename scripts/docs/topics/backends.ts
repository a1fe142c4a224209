/**
 * Backends, arenas and the version of the exactness contract.
 *
 * All backends return the same bits. `backends()` tells which one is in use and why the others are not. An arena is
 * memory that the WASM backend can use without copies.
 *
 * @module backends
 */
export {
  backends,
  contractVersion,
  createArena,
  createBackend,
  warmUp,
  type Arena,
  type ArenaOptions,
  type ArenaRange,
  type BackendName,
  type BackendRequest,
  type BackendStatus,
  type InstructionSet,
  type WarmedUp,
  type WebAssemblyMemory,
} from "../../../src/index.js";
