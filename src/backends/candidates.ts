// All backends. A candidate is loaded at its first use. It is checked against the oracle once per element type, and
// once more the first time weights are used. Most processes use one type and no weights, and most of the time to the
// first result is such a check. The reason why a candidate is not used is kept.
import type { Control } from "../kernels/control.js";
import { milliseconds, warn } from "../base/environment.js";
import { messageOf } from "../base/errors.js";
import { INSTRUCTION_SETS, type InstructionSet } from "./native/instruction-sets.js";
import type { Kernels } from "../kernels/kernels.js";
import { checksumNote, loadNative, nativeMeans, nativeOffThread, nativeSupports, tuneNative } from "./native/native.js";
import type { OffThread } from "./off-thread/off-thread.js";
import { oracle } from "./oracle/oracle.js";
import { selfCheck, type Means } from "./self-check/self-check.js";
import type { DType } from "../base/types.js";
import { loadWasm, tuneWasm, wasmMeans, wasmOffThread } from "./wasm/wasm.js";

/**
 * The name of a backend.
 *
 * - `native/…` is the C++ addon, compiled for one instruction set. It uses several threads on a large tensor.
 * - `wasm` is WebAssembly with 128-bit SIMD. It runs in Node and in browsers.
 * - `oracle` is plain JavaScript. It runs everywhere, and the other backends are checked against it.
 */
export type BackendName = `native/${InstructionSet}` | "wasm" | "oracle";

export interface Candidate {
  readonly name: BackendName;
  /** Loads the kernels. If that is impossible, it throws an Error whose message is the reason. */
  readonly load: () => Kernels;
  /** Whether it has kernels for an element type, once it is loaded. If absent, it has kernels for all. */
  readonly supports?: (dtype: DType) => boolean;
  /** What the self-check uses beside the kernels, once it is loaded. */
  readonly means?: Means;
  /** Sets in a new control block how much of the machine a call may use; `threads` is null where nobody named a number. */
  readonly tune?: (control: Control, threads: number | null) => void;
  /** What runs its kernels on another thread, once it is loaded; null where nothing can. Absent: nothing ever can. */
  readonly offThread?: () => OffThread | null;
  /** What its file tells about a fault that the check found. */
  readonly noteOnFault?: () => string;
}

/** All backends, best first. */
export const candidates: readonly Candidate[] = [
  ...INSTRUCTION_SETS.map((set): Candidate => ({
    name: `native/${set}`,
    load: () => loadNative(set),
    supports: (dtype) => nativeSupports(set, dtype),
    means: nativeMeans(set),
    tune: tuneNative,
    offThread: () => nativeOffThread(set),
    noteOnFault: checksumNote,
  })),
  { name: "wasm", load: loadWasm, means: wasmMeans, tune: tuneWasm, offThread: wasmOffThread },
  { name: "oracle", load: () => oracle },
];

/** The outcome of loading a candidate: its kernels, or the reason why there are none. */
type Loaded =
  { readonly kernels: Kernels; readonly reason: null } | { readonly kernels: null; readonly reason: string };

/** The outcome of checking a candidate: why it is not used, or null, and the time it took. */
interface Checked {
  readonly fault: string | null;
  /** Whether the kernels are at fault: not if there was no memory to check them in. */
  readonly isWrong: boolean;
  readonly ms: number;
}

type Checks = DType | `weighted ${DType}`;

export interface Outcome {
  readonly loaded: Loaded;
  /** The time that finding and loading it took. */
  readonly loadMs: number;
  /** The checks that were made, each at its first use: by element type, without and with weights. */
  readonly checked: Map<Checks, Checked>;
}

const outcomes = new Map<BackendName, Outcome>();

function load(candidate: Candidate): Loaded {
  try {
    return { kernels: candidate.load(), reason: null };
  } catch (error) {
    return { kernels: null, reason: messageOf(error) };
  }
}

export function outcomeOf(candidate: Candidate): Outcome {
  const known = outcomes.get(candidate.name);
  if (known) return known;
  const start = milliseconds();
  const loaded = load(candidate);
  const outcome = { loaded, loadMs: milliseconds() - start, checked: new Map() };
  outcomes.set(candidate.name, outcome);
  return outcome;
}

/** The time that one outcome's checks took. */
export function checkMsOf({ checked }: Outcome): number {
  return [...checked.values()].reduce((sum, { ms }) => sum + ms, 0);
}

/** The time that loading and checking took in this process, of all candidates that were tried. */
export function timesSoFar(): { loadMs: number; selfCheckMs: number } {
  const tried = [...outcomes.values()];
  return {
    loadMs: tried.reduce((sum, { loadMs }) => sum + loadMs, 0),
    selfCheckMs: tried.reduce((sum, outcome) => sum + checkMsOf(outcome), 0),
  };
}

/** Forgets the outcome for a candidate, so that it is loaded and checked again. */
export function forget(name: BackendName): void {
  outcomes.delete(name);
}

function check({ means, noteOnFault }: Candidate, kernels: Kernels, dtype: DType, isWeighted: boolean): Checked {
  const start = milliseconds();
  let fault: string | null;
  let hadRoom = true;
  try {
    fault = selfCheck(kernels, dtype, isWeighted, means);
  } catch (error) {
    // Memory and stack that cannot be had are RangeErrors; a trap of WebAssembly is none.
    hadRoom = !(error instanceof RangeError);
    fault = `${hadRoom ? "a kernel threw" : "it cannot be checked"}: ${messageOf(error)}`;
  }
  const ms = milliseconds() - start;
  const isWrong = fault !== null && hadRoom;
  return { fault: isWrong && noteOnFault ? fault + noteOnFault() : fault, isWrong, ms };
}

/** Whether one of the checks that were made found the candidate's kernels wrong. */
export function isRejected({ checked }: Outcome): boolean {
  return [...checked.values()].some(({ isWrong }) => isWrong);
}

/** Says whether a loaded candidate has kernels for an element type. */
export function supports(candidate: Candidate, dtype: DType): boolean {
  return candidate.supports?.(dtype) ?? true;
}

/** The fault that the check of the kernels found, without or with weights, or null. */
function faultOf(candidate: Candidate, kernels: Kernels, dtype: DType, isWeighted: boolean): string | null {
  const { name } = candidate;
  const { checked } = outcomes.get(name)!;
  const checks: Checks = isWeighted ? `weighted ${dtype}` : dtype;
  let result = checked.get(checks);
  if (!result) {
    checked.set(checks, (result = check(candidate, kernels, dtype, isWeighted)));
    const { fault, isWrong } = result;
    const how = isWrong ? "it differs from the oracle: " : "";
    if (fault !== null) warn(`batchnorm: backend ${name} is not used for ${checks}, ${how}${fault}`);
  }
  return result.fault;
}

/**
 * The reason why a candidate cannot be used for an element type, or null if it can. With `isWeighted`, calls with
 * weights are checked too. One wrong bit rejects it.
 */
export function reasonAgainst(candidate: Candidate, dtype: DType, isWeighted: boolean): string | null {
  const { loaded } = outcomeOf(candidate);
  if (loaded.reason !== null) return loaded.reason;
  if (!supports(candidate, dtype)) return `it has no kernels for ${dtype}`;
  // The oracle is what the others are checked against.
  if (loaded.kernels === oracle) return null;
  const fault = faultOf(candidate, loaded.kernels, dtype, false);
  return fault ?? (isWeighted ? faultOf(candidate, loaded.kernels, dtype, true) : null);
}
