// Which backend a call runs on, and why. The order is native (best instruction set first), WASM, oracle.
import {
  candidates,
  checkMsOf,
  forget,
  isRejected,
  outcomeOf,
  reasonAgainst,
  supports,
  type BackendName,
  type Candidate,
  type Outcome,
} from "./candidates.js";
import { checkOneOf, describe } from "../base/check.js";
import type { Control } from "../kernels/control.js";
import { environment } from "../base/environment.js";
import { BackendUnavailableError, messageOf, typeError } from "../base/errors.js";
import type { Kernels } from "../kernels/kernels.js";
import { DTYPES, type DType, type WasmModule } from "../base/types.js";
import type { OffThread } from "./off-thread/off-thread.js";
import { whyInline } from "./wasm/off-thread.js";
import { whyOneThread } from "./wasm/threads.js";
import { provideModule } from "./wasm/wasm.js";

/** A backend to ask for. `"native"` stands for the best instruction set that works here. */
export type BackendRequest = BackendName | "native";

const REQUESTS: readonly BackendRequest[] = ["native", ...candidates.map(({ name }) => name)];

export interface Backend {
  readonly name: BackendName;
  readonly kernels: Kernels;
  readonly tune: (control: Control, threads: number | null) => void;
  /** What runs the kernels on another thread; null: asynchronous calls run on the calling thread. */
  readonly offThread: () => OffThread | null;
}

/** The use that a backend is wanted for: the element type, without or with weights. */
interface Use {
  readonly dtype: DType;
  readonly isWeighted: boolean;
}

/** Finds the first candidate that works. */
function firstOf(list: readonly Candidate[], { dtype, isWeighted }: Use): Backend | null {
  for (const candidate of list) {
    if (reasonAgainst(candidate, dtype, isWeighted) !== null) continue;
    const { loaded } = outcomeOf(candidate);
    if (loaded.kernels !== null) {
      return {
        name: candidate.name,
        kernels: loaded.kernels,
        tune: candidate.tune ?? (() => undefined),
        offThread: candidate.offThread ?? (() => null),
      };
    }
  }
  return null;
}

function find(request: string, use: Use): Backend {
  const matching = candidates.filter(({ name }) => name === request || name.startsWith(`${request}/`));
  if (matching.length === 0) throw new BackendUnavailableError(request, `not one of ${REQUESTS.join(", ")}`);
  const backend = firstOf(matching, use);
  if (backend) return backend;
  const reasons = new Set(matching.map((candidate) => reasonAgainst(candidate, use.dtype, use.isWeighted) ?? ""));
  throw new BackendUnavailableError(request, [...reasons].join("; "));
}

const selected = new Map<string, Backend>();

/**
 * Selects the backend that was asked for, else the one that `BATCHNORM_BACKEND` names, else the best one that works.
 *
 * @throws BackendUnavailableError if a named one cannot be used. There is no silent fallback.
 */
export function selectBackend(use: Use, request?: BackendRequest): Backend {
  const name = request ?? environment("BATCHNORM_BACKEND") ?? "";
  const key = `${use.dtype} ${use.isWeighted} ${name}`;
  let backend = selected.get(key);
  // The oracle always works, so the whole list always has a backend that works.
  if (!backend) selected.set(key, (backend = name === "" ? firstOf(candidates, use)! : find(name, use)));
  return backend;
}

/** The use that `backends()` reports on: float32 without weights. */
export const ORDINARY: Use = { dtype: "float32", isWeighted: false };

export function checkBackendRequest(value: unknown): BackendRequest {
  return checkOneOf("backend", value, REQUESTS);
}

/** The status of one backend in this process. */
export interface BackendStatus {
  /** The name of the backend. */
  readonly name: BackendName;
  /**
   * Whether the backend is used. The one `"in use"` runs a float32 call without the option `backend`. One that is
   * `"available"` works, but a better one is in use. One that is `"unavailable"` cannot be loaded here, or there is no
   * memory to check it in. One that is `"rejected"` computed a wrong bit or failed in its check, so it is not used.
   */
  readonly status: "in use" | "available" | "unavailable" | "rejected";
  /** Why the backend is unavailable or was rejected. Otherwise it is absent. */
  readonly reason?: string;
  /**
   * The element types for which it has no kernels. Data of these types run on the next backend. Absent if it has all.
   */
  readonly lacks?: readonly DType[];
  /**
   * The time in milliseconds that its checks against the oracle took. It is absent for the oracle itself and for
   * backends that could not be loaded.
   */
  readonly selfCheckMs?: number;
  /**
   * Why WebAssembly runs on one thread here, even in a shared arena. It is absent where it may use several, and for other
   * backends.
   */
  readonly oneThread?: string;
  /**
   * Why asynchronous calls on WebAssembly run on the calling thread. It is absent where they run in a worker, and for other
   * backends.
   */
  readonly noWorker?: string;
}

/** The backend of a call without the option `backend`, or null if `BATCHNORM_BACKEND` names one that cannot be used. */
function nameInUse(): BackendName | null {
  try {
    return selectBackend(ORDINARY).name;
  } catch {
    return null;
  }
}

/** The status of a backend that was loaded and is not in use. */
function statusUnused(outcome: Outcome, reason: string | undefined): BackendStatus["status"] {
  if (reason === undefined) return "available";
  return isRejected(outcome) ? "rejected" : "unavailable";
}

function statusOf(candidate: Candidate, inUse: BackendName | null): BackendStatus {
  const { name } = candidate;
  const outcome = outcomeOf(candidate);
  const { loaded, checked } = outcome;
  if (loaded.reason !== null) return { name, status: "unavailable", reason: loaded.reason };
  const lacks = DTYPES.filter((dtype) => !supports(candidate, dtype));
  const has = DTYPES.filter((dtype) => !lacks.includes(dtype));
  const reason = has.map((dtype) => reasonAgainst(candidate, dtype, true)).find((fault) => fault !== null);
  const selfCheckMs = checkMsOf(outcome);
  const [oneThread, noWorker] = name === "wasm" ? [whyOneThread(), whyInline()] : [null, null];
  return {
    name,
    status: name === inUse ? "in use" : statusUnused(outcome, reason),
    ...(reason === undefined ? {} : { reason }),
    ...(lacks.length === 0 ? {} : { lacks }),
    ...(checked.size === 0 ? {} : { selfCheckMs }),
    ...(oneThread === null ? {} : { oneThread }),
    ...(noWorker === null ? {} : { noWorker }),
  };
}

/**
 * Lists all backends with their status in this process. It loads and checks those that were not used yet.
 *
 * @returns One status per backend, best first.
 */
export function backends(): BackendStatus[] {
  const inUse = nameInUse();
  return candidates.map((candidate) => statusOf(candidate, inUse));
}

/**
 * Makes the WASM backend from a compiled module. Use it on edge runtimes that do not compile WebAssembly at run time,
 * and hand out modules instead. Call it once, before the first layer. A layer that has already run may keep the backend
 * it has. On Cloudflare Workers the package does this itself, under the condition `workerd`.
 *
 * @example
 * ```ts
 * import module from "batchnorm/wasm";
 * createBackend(module);
 * ```
 *
 * @param module The compiled module that this version of the package contains.
 * @returns The status of the WASM backend.
 * @throws TypeError if it is not a WebAssembly.Module (`ERR_BATCHNORM_TYPE`).
 * @throws BackendUnavailableError if it is not the module of this version. Then nothing changes.
 */
export function createBackend(module: WasmModule): BackendStatus {
  // The tag is compared, because the module may come from another realm.
  if (Object.prototype.toString.call(module) !== "[object WebAssembly.Module]") {
    throw typeError("ERR_BATCHNORM_TYPE", `"module" expected a WebAssembly.Module, got ${describe(module)}`);
  }
  try {
    provideModule(module);
  } catch (error) {
    throw new BackendUnavailableError("wasm", messageOf(error));
  }
  forget("wasm");
  selected.clear();
  return backends().find(({ name }) => name === "wasm")!;
}
