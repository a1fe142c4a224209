/**
 * Backends, arenas and the version of the exactness contract.
 *
 * @module backends
 */
export {
  backends,
  contractVersion,
  createArena,
  createBackend,
  type Arena,
  type BackendName,
  type BackendRequest,
  type BackendStatus,
  type InstructionSet,
} from "../../../src/index.js";
