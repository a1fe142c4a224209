// Kernel calls of the addon on libuv's threads: see native/later.h, which says why its operands are in shared memory.
import { DTYPES, isStoredIn16Bits } from "../../base/types.js";
import type { KernelName } from "../../kernels/operands.js";
import type { Held, HiddenOutput, OffThread } from "../off-thread/off-thread.js";

type LaterKernel = (control: Float64Array, stop: Int32Array, ...operands: unknown[]) => Promise<void>;
/** The functions of an instruction set that return promises. */
export type LaterFunctions = Readonly<Record<KernelName, LaterKernel>>;

/** What the addon exports for them. */
export interface OutputFunctions {
  /** Makes an output, whose memory no JavaScript sees. The kind is 0 for float32, 1 for float64, and 2 for 16-bit elements. */
  readonly makeOutput: (kind: number, length: number) => unknown;
  readonly takeOutput: (output: unknown) => ArrayBuffer;
  /** Whether the memory of an array cannot go away. */
  readonly isLasting: (array: Uint8Array) => boolean;
}

export const OUTPUT_FUNCTIONS = ["makeOutput", "takeOutput", "isLasting"] as const;

class Output implements HiddenOutput {
  constructor(readonly hidden: unknown) {}
}

function operandOf(held: Held): unknown {
  return held instanceof Output ? held.hidden : (held);
}

/** null: this engine has no shared memory, or does not tell it from other memory. */
export function offThreadOf(later: LaterFunctions, functions: OutputFunctions): OffThread | null {
  if (typeof SharedArrayBuffer !== "function") return null;
  if (!functions.isLasting(new Uint8Array(new SharedArrayBuffer(1)))) return null;
  return {
    start: (name, { block }, stop, operands) => later[name](block, stop, ...operands.map(operandOf)),
    makeOutput(dtype, length) {
      const kind = isStoredIn16Bits(dtype) ? 2 : DTYPES.indexOf(dtype);
      return new Output(functions.makeOutput(kind, length));
    },
    takeOutput: ({ hidden }) => functions.takeOutput(hidden),
  };
}
