// Kernel calls of the addon on libuv's threads: see native/later.h, which says why its operands are in shared memory.
import { viewOf } from "../../base/outputs.js";
import { DTYPES, isStoredIn16Bits } from "../../base/types.js";
import type { KernelName } from "../../kernels/operands.js";
import { MemoryPool, makeShared } from "../off-thread/memory-pool.js";
import { HiddenOutput, MemoryPart, type Held, type OffThread } from "../off-thread/off-thread.js";
import { threadsBeside } from "../threads.js";

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

const pool = new MemoryPool(makeShared);

/**
 * Kernel calls at a time, and none that takes the last core from the event loop. Each takes one of libuv's four threads, which
 * files and names of hosts need too.
 */
const mostCalls = (): number => Math.min(2, threadsBeside(undefined));

function operandOf(held: Held): unknown {
  if (held instanceof MemoryPart) return viewOf(held.dtype, held.memory.buffer, held.offset, held.length);
  return held instanceof HiddenOutput ? held.hidden : held;
}

/** null: this engine has no shared memory, or does not tell it from other memory. */
export function offThreadOf(later: LaterFunctions, functions: OutputFunctions): OffThread | null {
  if (typeof SharedArrayBuffer !== "function") return null;
  if (!functions.isLasting(new Uint8Array(new SharedArrayBuffer(1)))) return null;
  return {
    sharesMemory: true,
    pool,
    mostCalls,
    start: (name, { block }, stop, operands) => later[name](block, stop!, ...operands.map(operandOf)),
    makeOutput(dtype, length) {
      const kind = isStoredIn16Bits(dtype) ? 2 : DTYPES.indexOf(dtype);
      return new HiddenOutput(functions.makeOutput(kind, length));
    },
    takeOutput: ({ hidden }) => functions.takeOutput(hidden),
  };
}
