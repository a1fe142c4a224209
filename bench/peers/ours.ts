// The library itself among its peers: outputs given, in ordinary arrays or in an arena.
import { availableParallelism } from "node:os";
import {
  backends,
  createArena,
  type Arena,
  type BackendStatus,
  type FloatType as DType,
  type Gradients,
  type Saved,
} from "batchnorm";
import type { Floats as Data } from "../../src/base/types.js";
import { makeLayer } from "../measure/layer.js";
import { works } from "../plan.js";
import { THREADS, timeSync, type Peer, type Prepared, type Problem } from "./peer.js";

export const OURS = {
  native: "batchnorm native",
  arena: "batchnorm wasm, arena",
  wasm: "batchnorm wasm",
  oracle: "batchnorm oracle",
} as const;

/** The backend that a layer uses by itself. */
export function best(): BackendStatus {
  return backends().find(({ status }) => status === "in use") ?? backends().find(works)!;
}

interface Arrays {
  readonly x: Float32Array;
  readonly dy: Float32Array;
  readonly out: Float32Array;
}

function prepare(problem: Problem, { name }: BackendStatus, threads: number, { x, dy, out }: Arrays): Prepared {
  const { setting, shape } = problem;
  const [training, frozen] = [
    makeLayer(setting, { backend: name, threads }),
    makeLayer(setting, { backend: name, threads }),
  ];
  frozen.eval();
  training.forward(x, shape, { out });
  // A token serves one backward. A copy that is marked as unused serves another.
  const token = training.saved!;
  const unused = (): Saved => ({ ...token, life: new Uint8Array(1) });
  let gradients: Gradients<DType, Data> | undefined;
  const floats = (values: Data | null | undefined): Float32Array => Float32Array.from(values!);
  return {
    tasks: {
      forward: { sample: timeSync(() => void training.forward(x, shape, { out })), result: () => ({ out }) },
      inference: { sample: timeSync(() => void frozen.forward(x, shape, { out })), result: () => ({ out }) },
      backward: {
        sample: timeSync(
          () => void (gradients = training.backward(dy, { out, saved: unused() }) as Gradients<DType, Data>),
        ),
        result: () => ({
          out,
          gradWeight: floats(gradients?.gradWeight),
          gradBias: floats(gradients?.gradBias),
        }),
      },
    },
    dispose: () => undefined,
  };
}

/** By the backend that a layer uses by itself: what all are compared with. */
export function prepareReference(problem: Problem): Prepared {
  return prepare(problem, best(), availableParallelism(), ordinary(problem));
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
  return { ...prepare(problem, backend, 1, arrays), dispose: () => arena.dispose() };
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
    prepare: (problem) => prepare(problem, backend, threads, ordinary(problem)),
  }));
}

export function loadWasm(): Peer[] {
  const backend = usable("wasm");
  const common = { version: null, threads: 1 };
  return [
    { ...common, name: OURS.arena, prepare: (problem) => prepareInArena(problem, backend) },
    { ...common, name: OURS.wasm, prepare: (problem) => prepare(problem, backend, 1, ordinary(problem)) },
  ];
}

export function loadOracle(): Peer[] {
  const backend = usable("oracle");
  const prepareOrdinary = (problem: Problem): Prepared => prepare(problem, backend, 1, ordinary(problem));
  return [{ name: OURS.oracle, version: null, threads: 1, prepare: prepareOrdinary }];
}
