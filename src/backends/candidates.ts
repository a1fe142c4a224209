// Every backend there is. A candidate is loaded at its first use, and checked against the oracle at its first with each
// element type, and with weights at its first with those: most processes use one type and no weights, and a check is
// most of the time to the first result. The reason for every skip is kept.
import type { Control } from "../kernels/control.js";
import { milliseconds, warn } from "../base/environment.js";
import { messageOf } from "../base/errors.js";
import { INSTRUCTION_SETS, type InstructionSet } from "./native/instruction-sets.js";
import type { Kernels } from "../kernels/kernels.js";
import { loadNative, nativeSupports, tuneNative } from "./native/native.js";
import { oracle } from "./oracle/oracle.js";
import { selfCheck } from "./self-check/self-check.js";
import type { DType } from "../base/types.js";
import { loadWasm } from "./wasm/wasm.js";

export type BackendName = `native/${InstructionSet}` | "wasm" | "oracle";

export interface Candidate {
  readonly name: BackendName;
  /** The kernels; throws an Error whose message is the reason where they cannot be had. */
  readonly load: () => Kernels;
  /** Whether it has kernels for data of a type, once it is loaded; absent: for all. */
  readonly supports?: (dtype: DType) => boolean;
  /** Sets how much of the machine a call may use, in a fresh control block. */
  readonly tune?: (control: Control, threads: number) => void;
}

/** Every backend there is, best first. */
export const candidates: readonly Candidate[] = [
  ...INSTRUCTION_SETS.map((set): Candidate => ({
    name: `native/${set}`,
    load: () => loadNative(set),
    supports: (dtype) => nativeSupports(set, dtype),
    tune: tuneNative,
  })),
  { name: "wasm", load: loadWasm },
  { name: "oracle", load: () => oracle },
];

/** What became of loading a candidate: its kernels, or the reason for none. */
type Loaded = { readonly kernels: Kernels } | { readonly reason: string };

/** What became of checking one: the fault, or null. */
interface Checked {
  readonly fault: string | null;
  readonly ms: number;
}

type Checks = DType | `weighted ${DType}`;

interface Outcome {
  readonly loaded: Loaded;
  /** By element type, without and with weights, each at its first use. */
  readonly checked: Map<Checks, Checked>;
}

const outcomes = new Map<BackendName, Outcome>();

function load(candidate: Candidate): Loaded {
  try {
    return { kernels: candidate.load() };
  } catch (error) {
    return { reason: messageOf(error) };
  }
}

export function outcomeOf(candidate: Candidate): Outcome {
  let outcome = outcomes.get(candidate.name);
  if (!outcome) outcomes.set(candidate.name, (outcome = { loaded: load(candidate), checked: new Map() }));
  return outcome;
}

/** Forgets what became of a candidate: it is loaded and checked again. */
export function forget(name: BackendName): void {
  outcomes.delete(name);
}

function check(kernels: Kernels, dtype: DType, isWeighted: boolean): Checked {
  const start = milliseconds();
  let fault: string | null;
  try {
    fault = selfCheck(kernels, dtype, isWeighted);
  } catch (error) {
    fault = `a kernel threw: ${messageOf(error)}`;
  }
  return { fault, ms: milliseconds() - start };
}

/** Whether a candidate that was loaded has kernels for data of a type. */
export function supports(candidate: Candidate, dtype: DType): boolean {
  return candidate.supports?.(dtype) ?? true;
}

/** What is wrong with kernels without weights, or with those with; null where nothing is. */
function faultOf({ name }: Candidate, kernels: Kernels, dtype: DType, isWeighted: boolean): string | null {
  const { checked } = outcomes.get(name)!;
  const checks: Checks = isWeighted ? `weighted ${dtype}` : dtype;
  let result = checked.get(checks);
  if (!result) {
    checked.set(checks, (result = check(kernels, dtype, isWeighted)));
    if (result.fault !== null)
      warn(`batchnorm: backend ${name} is not used for ${checks}, it differs from the oracle: ${result.fault}`);
  }
  return result.fault;
}

/**
 * Why a candidate cannot be used for data of a type, with `isWeighted` in calls with weights too; null where it can. A
 * wrong bit rejects it.
 */
export function reasonAgainst(candidate: Candidate, dtype: DType, isWeighted: boolean): string | null {
  const { loaded } = outcomeOf(candidate);
  if ("reason" in loaded) return loaded.reason;
  if (!supports(candidate, dtype)) return `it has no kernels for ${dtype}`;
  // The oracle is what the others are checked against.
  if (loaded.kernels === oracle) return null;
  const fault = faultOf(candidate, loaded.kernels, dtype, false);
  return fault ?? (isWeighted ? faultOf(candidate, loaded.kernels, dtype, true) : null);
}
