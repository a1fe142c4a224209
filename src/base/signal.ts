// Signals that end asynchronous calls.
import { describe } from "./check.js";
import { typeError } from "./errors.js";

/** An `AbortSignal`, or any object that works as one. */
export interface AbortSignalLike {
  /** Whether the call is to end. */
  readonly aborted: boolean;
  /** What the promise of the call is rejected with. */
  readonly reason?: unknown;
  /**
   * Adds a listener.
   *
   * @param type The event, which is `"abort"`.
   * @param listener The listener.
   */
  addEventListener(type: "abort", listener: () => void): void;
  /**
   * Removes a listener.
   *
   * @param type The event, which is `"abort"`.
   * @param listener The listener.
   */
  removeEventListener(type: "abort", listener: () => void): void;
}

/** Reads the option `signal`. */
export function readSignal({ signal }: Record<string, unknown>): AbortSignalLike | null {
  if (signal === undefined || signal === null) return null;
  const { aborted, addEventListener, removeEventListener } = signal as Partial<AbortSignalLike>;
  const isSignal =
    typeof aborted === "boolean" && typeof addEventListener === "function" && typeof removeEventListener === "function";
  if (isSignal) return signal as AbortSignalLike;
  throw typeError("ERR_BATCHNORM_TYPE", `"signal" expected an AbortSignal, got ${describe(signal)}`);
}

/** Throws the reason of a signal that was aborted. */
export function throwIfAborted(signal: AbortSignalLike | null): void {
  if (signal?.aborted) throw signal.reason;
}

/** What is to be done when a signal is aborted, in the order in which it was asked for. */
const asked = new WeakMap<AbortSignalLike, { readonly calls: Set<() => void>; readonly tell: () => void }>();

/**
 * Calls a function when the signal is aborted. Returns what takes that back. A signal has one listener, however many calls it
 * serves: engines warn of many as of a leak.
 */
export function onAbort(signal: AbortSignalLike, call: () => void): () => void {
  let entry = asked.get(signal);
  if (!entry) {
    const calls = new Set<() => void>();
    entry = { calls, tell: () => calls.forEach((one) => one()) };
    asked.set(signal, entry);
  }
  const { calls, tell } = entry;
  if (calls.size === 0) signal.addEventListener("abort", tell);
  calls.add(call);
  return () => {
    if (calls.delete(call) && calls.size === 0) signal.removeEventListener("abort", tell);
  };
}
