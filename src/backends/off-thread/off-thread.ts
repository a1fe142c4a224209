// The seam between asynchronous calls and what runs their kernels. A backend that has an `OffThread` runs them on another
// thread than JavaScript's. For all others the call runs at its turn, on the calling thread.
import type { Control } from "../../kernels/control.js";
import type { KernelName } from "../../kernels/operands.js";
import type { Data, DType } from "../../base/types.js";
import type { CallMemory, MemoryPool } from "./memory-pool.js";

/** An output that kernels write to, and that no JavaScript can see before it is taken. What it is, a backend knows alone. */
export class HiddenOutput {
  constructor(readonly hidden: unknown) {}
}

/** A part of the memory of a call. */
export class MemoryPart {
  constructor(
    readonly memory: CallMemory,
    readonly dtype: DType,
    /** In bytes. */
    readonly offset: number,
    readonly length: number,
  ) {}
}

/** An operand: an array in shared memory, a part of the call's own memory, or a hidden output. */
export type Held = Data | MemoryPart | HiddenOutput | null;

/** Runs kernels on another thread. */
export interface OffThread {
  /** Whether kernels can use shared arrays of the caller as they are. */
  readonly sharesMemory: boolean;
  /** Memory for copies of all other arrays. */
  readonly pool: MemoryPool;
  /** How many kernel calls may run at a time. */
  mostCalls(): number;
  /**
   * Starts a kernel, whose results are in the control block once the promise is fulfilled. The kernel ends early if the
   * element of `stop`, which is shared, is no longer 0: then what it wrote is of no use. Without shared memory there is none.
   */
  start(name: KernelName, control: Control, stop: Int32Array | null, operands: readonly Held[]): Promise<void>;
  /** Makes a hidden output of at least one element. */
  makeOutput(dtype: DType, length: number): HiddenOutput;
  /** Its memory, which is an ordinary ArrayBuffer from now on. */
  takeOutput(output: HiddenOutput): ArrayBuffer;
}
