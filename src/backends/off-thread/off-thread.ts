// The seam between asynchronous calls and what runs their kernels. A backend that has an `OffThread` runs them on another
// thread than JavaScript's. For all others the call runs at its turn, on the calling thread.
import type { Control } from "../../kernels/control.js";
import type { KernelName } from "../../kernels/operands.js";
import type { Data, DType } from "../../base/types.js";

/** An output that kernels write to, and that no JavaScript can see before it is taken. What it is, a backend knows alone. */
export interface HiddenOutput {
  readonly hidden: unknown;
}

/** An operand: an array in shared memory, or a hidden output. */
export type Held = Data | HiddenOutput | null;

/** Runs kernels on another thread. */
export interface OffThread {
  /**
   * Starts a kernel, whose results are in the control block once the promise is fulfilled. The kernel ends early if the
   * element of `stop`, which is shared, is no longer 0: then what it wrote is of no use.
   */
  start(name: KernelName, control: Control, stop: Int32Array, operands: readonly Held[]): Promise<void>;
  /** Makes a hidden output of at least one element. */
  makeOutput(dtype: DType, length: number): HiddenOutput;
  /** Its memory, which is an ordinary ArrayBuffer from now on. */
  takeOutput(output: HiddenOutput): ArrayBuffer;
}
