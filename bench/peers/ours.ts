// The library itself among its peers: outputs given, in ordinary arrays or in an arena.
import { availableParallelism } from "node:os";
import { backends, createArena, type Arena, type BackendStatus } from "batchnorm";
import { works } from "../plan.js";
import { prepareOurs, type Arrays } from "./our-tasks.js";
import type { Peer, Prepared, Problem } from "./peer.js";
import { THREADS } from "./threads.js";

export const OURS = {
  native: "batchnorm native",
  arena: "batchnorm wasm, arena",
  wasm: "batchnorm wasm",
  oracle: "batchnorm oracle",
} as const;

/** The backend that a layer uses by itself. */
function best(): BackendStatus {
  return backends().find(({ status }) => status === "in use") ?? backends().find(works)!;
}

/** By the backend that a layer uses by itself: what all are compared with. */
export function prepareReference(problem: Problem): Prepared {
  return prepareOurs(problem, best(), availableParallelism(), ordinary(problem));
}

function ordinary({ x, dy }: Problem): Arrays {
  return { x, dy, out: new Float32Array(x.length) };
}

/** Three arrays, each rounded up to 64 bytes. */
function arenaFor({ x }: Problem): Arena {
  return createArena(3 * (x.byteLength + 64));
}

function prepareInArena(problem: Problem, backend: BackendStatus): Prepared {
  const arena = arenaFor(problem);
  const copy = (values: Float32Array): Float32Array => {
    const array = arena.float32(values.length);
    array.set(values);
    return array;
  };
  const arrays = { x: copy(problem.x), dy: copy(problem.dy), out: arena.float32(problem.x.length) };
  return { ...prepareOurs(problem, backend, 1, arrays), dispose: () => arena.dispose() };
}

/** @throws Error where no native backend or no WebAssembly works, with the reasons. */
function usable(kind: "native" | "wasm" | "oracle"): BackendStatus {
  const all = backends().filter(({ name }) => name.startsWith(kind));
  const found = all.find(works);
  if (found) return found;
  throw new Error([...new Set(all.map(({ reason }) => reason))].join("; "));
}

export function loadNative(): Peer[] {
  const backend = usable("native");
  return THREADS.map((threads) => ({
    name: OURS.native,
    version: null,
    threads,
    prepare: (problem) => prepareOurs(problem, backend, threads, ordinary(problem)),
  }));
}

export function loadWasm(): Peer[] {
  const backend = usable("wasm");
  const common = { version: null, threads: 1 };
  return [
    { ...common, name: OURS.arena, prepare: (problem) => prepareInArena(problem, backend) },
    { ...common, name: OURS.wasm, prepare: (problem) => prepareOurs(problem, backend, 1, ordinary(problem)) },
  ];
}

export function loadOracle(): Peer[] {
  const backend = usable("oracle");
  const prepareOrdinary = (problem: Problem): Prepared => prepareOurs(problem, backend, 1, ordinary(problem));
  return [{ name: OURS.oracle, version: null, threads: 1, prepare: prepareOrdinary }];
}
