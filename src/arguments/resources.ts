// Arguments that the layer and the stateless functions share: ε, the backend and the number of threads.
import { checkBackendRequest, type BackendRequest } from "../backends/backend.js";
import { checkInRange, checkInteger } from "../base/check.js";

/** Names of the options that `readResources` reads. */
export const RESOURCES = ["backend", "threads"] as const;

export function checkEps(value: unknown = 1e-5): number {
  return checkInRange("eps", value, 0, Number.MAX_VALUE);
}

/** The backend and the number of threads that a call asks for. */
export interface Resources {
  readonly backend: BackendRequest | undefined;
  readonly threads: number | undefined;
}

export function readResources({ backend, threads }: Record<string, unknown>): Resources {
  return {
    backend: backend === undefined ? undefined : checkBackendRequest(backend),
    threads: threads === undefined ? undefined : checkInteger("threads", threads, 1),
  };
}
