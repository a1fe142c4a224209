// The ordered list of backends, native (best instruction set first), WASM, oracle: which one a call runs on, and why.
import {
  candidates,
  forget,
  outcomeOf,
  reasonAgainst,
  supports,
  type BackendName,
  type Candidate,
} from "./candidates.js";
import { checkOneOf, describe } from "../base/check.js";
import type { Control } from "../kernels/control.js";
import { environment } from "../base/environment.js";
import { BackendUnavailableError, messageOf, typeError } from "../base/errors.js";
import type { Kernels } from "../kernels/kernels.js";
import { DTYPES, type DType } from "../base/types.js";
import { provideModule } from "./wasm/wasm.js";

/** A backend to ask for; "native" is the best instruction set that works here. */
export type BackendRequest = BackendName | "native";

const REQUESTS: readonly BackendRequest[] = ["native", ...candidates.map(({ name }) => name)];

export interface Backend {
  readonly name: BackendName;
  readonly kernels: Kernels;
  readonly tune: (control: Control, threads: number) => void;
}

/** What a backend is wanted for: data of a type, with or without weights. */
interface Use {
  readonly dtype: DType;
  readonly isWeighted: boolean;
}

/** The first of the candidates that works. */
function firstOf(list: readonly Candidate[], { dtype, isWeighted }: Use): Backend | null {
  for (const candidate of list) {
    if (reasonAgainst(candidate, dtype, isWeighted) !== null) continue;
    const { loaded } = outcomeOf(candidate);
    if ("kernels" in loaded) {
      return { name: candidate.name, kernels: loaded.kernels, tune: candidate.tune ?? (() => undefined) };
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
 * The backend asked for, else the one named by `BATCHNORM_BACKEND`, else the best that works.
 * @throws BackendUnavailableError when a named one cannot be used: there is no silent fallback.
 */
export function selectBackend(use: Use, request?: BackendRequest): Backend {
  const name = request ?? environment("BATCHNORM_BACKEND") ?? "";
  const key = `${use.dtype} ${use.isWeighted} ${name}`;
  let backend = selected.get(key);
  // The oracle always works, so the whole list has a first.
  if (!backend) selected.set(key, (backend = name === "" ? firstOf(candidates, use)! : find(name, use)));
  return backend;
}

/** What `backends()` reports on: calls that say nothing else. */
export const ORDINARY: Use = { dtype: "float32", isWeighted: false };

export function checkBackendRequest(value: unknown): BackendRequest {
  return checkOneOf("backend", value, REQUESTS);
}

export interface BackendStatus {
  readonly name: BackendName;
  /** "in use": what a float32 call without a `backend` option runs on; "rejected": it computed wrong bits. */
  readonly status: "in use" | "available" | "unavailable" | "rejected";
  readonly reason?: string;
  /** Element types that it has no kernels for: data of those run on the next backend. */
  readonly lacks?: readonly DType[];
  /** Milliseconds that its checks against the oracle took, once; absent of those that could not be loaded, and of the oracle. */
  readonly selfCheckMs?: number;
}

/** The backend of a call without a `backend` option; null where `BATCHNORM_BACKEND` names one that cannot be used. */
function nameInUse(): BackendName | null {
  try {
    return selectBackend(ORDINARY).name;
  } catch {
    return null;
  }
}

function statusOf(candidate: Candidate, inUse: BackendName | null): BackendStatus {
  const { name } = candidate;
  const { loaded, checked } = outcomeOf(candidate);
  if ("reason" in loaded) return { name, status: "unavailable", reason: loaded.reason };
  const lacks = DTYPES.filter((dtype) => !supports(candidate, dtype));
  const has = DTYPES.filter((dtype) => !lacks.includes(dtype));
  const reason = has.map((dtype) => reasonAgainst(candidate, dtype, true)).find((fault) => fault !== null);
  const selfCheckMs = [...checked.values()].reduce((sum, { ms }) => sum + ms, 0);
  return {
    name,
    status: name === inUse ? "in use" : reason === undefined ? "available" : "rejected",
    ...(reason === undefined ? {} : { reason }),
    ...(lacks.length === 0 ? {} : { lacks }),
    ...(checked.size === 0 ? {} : { selfCheckMs }),
  };
}

/** Every backend with its status here, best first; loads and checks those not tried yet. */
export function backends(): BackendStatus[] {
  const inUse = nameInUse();
  return candidates.map((candidate) => statusOf(candidate, inUse));
}

/**
 * Makes the WASM backend of a compiled module instead of the one inside, for runtimes that refuse to compile at run time
 * and hand out modules instead: `import module from "batchnorm/wasm"`, then once, before the first layer,
 * `createBackend(module)`. (Where the `workerd` condition holds, the package has done so itself.) Layers made before keep
 * the backend they have.
 * @returns The WASM backend's status.
 * @throws TypeError where it is not a WebAssembly.Module.
 * @throws BackendUnavailableError where it is not this version's module: that changes nothing.
 */
export function createBackend(module: WebAssembly.Module): BackendStatus {
  // By its tag: the module may be of another realm.
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
