// The ordered list of backends: native (best instruction set first), WASM, oracle. A candidate is
// loaded and checked against the oracle at its first use; the reason for every skip is kept.
import { checkOneOf } from "./check.js";
import type { Control } from "./control.js";
import { environment, warn } from "./environment.js";
import { BackendUnavailableError } from "./errors.js";
import type { Kernels } from "./kernels.js";
import { INSTRUCTION_SETS, type InstructionSet } from "./instruction-sets.js";
import { loadNative, tuneNative } from "./native.js";
import { oracle } from "./oracle.js";
import { selfCheck } from "./self-check.js";
import { loadWasm } from "./wasm.js";

export type BackendName = `native/${InstructionSet}` | "wasm" | "oracle";
/** A backend to ask for; "native" is the best instruction set that works here. */
export type BackendRequest = BackendName | "native";

export interface Candidate {
  readonly name: BackendName;
  /** The kernels; throws an Error whose message is the reason where they cannot be had. */
  readonly load: () => Kernels;
  /** Sets how much of the machine a call may use, in a fresh control block. */
  readonly tune?: (control: Control, threads: number) => void;
}

/** Every backend there is, best first. */
export const candidates: readonly Candidate[] = [
  ...INSTRUCTION_SETS.map((set): Candidate => ({
    name: `native/${set}`,
    load: () => loadNative(set),
    tune: tuneNative,
  })),
  { name: "wasm", load: loadWasm },
  { name: "oracle", load: () => oracle },
];

const REQUESTS: readonly BackendRequest[] = ["native", ...candidates.map(({ name }) => name)];

export interface Backend {
  readonly name: BackendName;
  readonly kernels: Kernels;
  readonly tune: (control: Control, threads: number) => void;
}

interface Outcome {
  readonly kernels: Kernels | null;
  readonly status: "available" | "unavailable" | "rejected";
  readonly reason?: string;
  readonly selfCheckMs?: number;
}

const outcomes = new Map<BackendName, Outcome>();

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function faultOf(kernels: Kernels): string | null {
  try {
    return selfCheck(kernels);
  } catch (error) {
    return `a kernel threw: ${messageOf(error)}`;
  }
}

/** Loads and checks a candidate; a wrong bit rejects it. The oracle is what the others are checked against. */
function evaluate({ name, load }: Candidate): Outcome {
  let kernels: Kernels;
  try {
    kernels = load();
  } catch (error) {
    return { kernels: null, status: "unavailable", reason: messageOf(error) };
  }
  if (kernels === oracle) return { kernels, status: "available" };
  const start = performance.now();
  const fault = faultOf(kernels);
  const selfCheckMs = performance.now() - start;
  if (fault === null) return { kernels, status: "available", selfCheckMs };
  warn(`batchnorm: backend ${name} is not used, it differs from the oracle: ${fault}`);
  return { kernels: null, status: "rejected", reason: fault, selfCheckMs };
}

function outcomeOf(candidate: Candidate): Outcome {
  let outcome = outcomes.get(candidate.name);
  if (!outcome) outcomes.set(candidate.name, (outcome = evaluate(candidate)));
  return outcome;
}

/** The first of the candidates that works. */
function firstOf(list: readonly Candidate[]): Backend | null {
  for (const candidate of list) {
    const { kernels } = outcomeOf(candidate);
    if (kernels) return { name: candidate.name, kernels, tune: candidate.tune ?? (() => undefined) };
  }
  return null;
}

function find(request: string): Backend {
  const matching = candidates.filter(({ name }) => name === request || name.startsWith(`${request}/`));
  if (matching.length === 0) throw new BackendUnavailableError(request, `not one of ${REQUESTS.join(", ")}`);
  const backend = firstOf(matching);
  if (backend) return backend;
  const reasons = new Set(matching.map((candidate) => outcomeOf(candidate).reason ?? ""));
  throw new BackendUnavailableError(request, [...reasons].join("; "));
}

const selected = new Map<string, Backend>();

/**
 * The backend asked for, else the one named by `BATCHNORM_BACKEND`, else the best that works.
 * @throws BackendUnavailableError when a named one cannot be used: there is no silent fallback.
 */
export function selectBackend(request?: BackendRequest): Backend {
  const name = request ?? environment("BATCHNORM_BACKEND") ?? "";
  let backend = selected.get(name);
  // The oracle always works, so the whole list has a first.
  if (!backend) selected.set(name, (backend = name === "" ? firstOf(candidates)! : find(name)));
  return backend;
}

export function checkBackendRequest(value: unknown): BackendRequest {
  return checkOneOf("backend", value, REQUESTS);
}

export interface BackendStatus {
  readonly name: BackendName;
  /** "in use": what a call without a `backend` option runs on; "rejected": it computed wrong bits. */
  readonly status: "in use" | "available" | "unavailable" | "rejected";
  readonly reason?: string;
  /** Milliseconds that its check against the oracle took, once; absent of those that could not be loaded, and of the oracle. */
  readonly selfCheckMs?: number;
}

/** The backend of a call without a `backend` option; null where `BATCHNORM_BACKEND` names one that cannot be used. */
function nameInUse(): BackendName | null {
  try {
    return selectBackend().name;
  } catch {
    return null;
  }
}

/** Every backend with its status here, best first; loads and checks those not tried yet. */
export function backends(): BackendStatus[] {
  const inUse = nameInUse();
  return candidates.map((candidate) => {
    const { status, reason, selfCheckMs } = outcomeOf(candidate);
    return {
      name: candidate.name,
      status: candidate.name === inUse ? "in use" : status,
      ...(reason === undefined ? {} : { reason }),
      ...(selfCheckMs === undefined ? {} : { selfCheckMs }),
    };
  });
}
