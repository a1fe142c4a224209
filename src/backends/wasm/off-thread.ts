// Kernel calls of asynchronous calls in workers. Copies of arrays and new outputs are moved to the worker and back, and
// shared arrays are used as they are. So it needs no shared memory: a page need not be isolated for it.
import { copyInto } from "../../base/arrays.js";
import { bufferOf, byteOffsetOf, lengthOf, tagOf } from "../../base/check.js";
import { SIZED_LIKE, bytesOf, viewOf } from "../../base/outputs.js";
import type { Data } from "../../base/types.js";
import type { Control } from "../../kernels/control.js";
import type { Kernels } from "../../kernels/kernels.js";
import type { KernelName } from "../../kernels/operands.js";
import { MemoryPool, type CallMemory } from "../off-thread/memory-pool.js";
import { HiddenOutput, MemoryPart, type Held, type OffThread } from "../off-thread/off-thread.js";
import { threadsBeside } from "../threads.js";
import { CallWorkers, type CallWorker } from "./call-workers.js";
import { callOf } from "./calls.js";
import { planOf } from "./plan.js";
import type { Staging } from "./staging.js";
import type { Operand } from "./worker/call-messages.js";
import { MOST_THREADS } from "./worker/seats.js";
import { canSendShared, whyNoWorkers } from "./workers.js";

/** Memory whose buffer is away while a kernel runs. */
class Movable implements CallMemory {
  constructor(public buffer: ArrayBuffer) {}
}

const pool = new MemoryPool((bytes) => new Movable(new ArrayBuffer(bytes)));
const workers = new CallWorkers();

/** A whole hidden output as a part of its memory. */
function partOf(held: Held): MemoryPart | Data | null {
  return held instanceof HiddenOutput ? (held.hidden as MemoryPart) : held;
}

/** What is sent for operands, and the memory that is moved with them. */
class Luggage {
  readonly memories: Movable[] = [];

  readonly operandOf = (held: Held): Operand | null => {
    const part = partOf(held);
    if (!part) return null;
    if (!(part instanceof MemoryPart)) {
      const memory = bufferOf(part) as SharedArrayBuffer;
      return { memory, dtype: SIZED_LIKE.get(tagOf(part))!, offset: byteOffsetOf(part), length: lengthOf(part) };
    }
    const { dtype, offset, length } = part;
    const memory = part.memory as Movable;
    const known = this.memories.indexOf(memory);
    return { memory: known < 0 ? this.memories.push(memory) - 1 : known, dtype, offset, length };
  };
}

/** An operand as an array of this thread. */
function arrayOf(held: Held): Data | null {
  const part = partOf(held);
  return part instanceof MemoryPart ? viewOf(part.dtype, part.memory.buffer, part.offset, part.length) : part;
}

/** What runs kernels of a module, and how their calls are cut. */
interface Means {
  readonly module: WebAssembly.Module;
  readonly staging: Staging;
  /** On this thread. */
  readonly kernels: Kernels;
}

/** What all kernels of a call have in common. */
interface Situation {
  readonly worker: CallWorker;
  readonly staging: Staging;
  readonly control: Control;
  readonly stop: Int32Array | null;
}

/** Runs a kernel in a worker, as its parts where it has to. */
async function runThere(situation: Situation, kernel: KernelName, operands: readonly Held[]): Promise<void> {
  const { worker, staging, control, stop } = situation;
  const luggage = new Luggage();
  const call = callOf(kernel, control, operands.map(luggage.operandOf));
  const { step, composed } = planOf(staging, control, call);
  if (composed) return composed((part, own) => runThere(situation, part, own), control, operands);
  const { block, dtype, extent, traversal, isFloat32 } = control;
  const buffers = luggage.memories.map(({ buffer }) => buffer);
  const answer = await worker.run({
    control: { block, dtype, extent, traversal, isFloat32 },
    call,
    step,
    stop,
    buffers,
  });
  for (const [i, memory] of luggage.memories.entries()) memory.buffer = answer.buffers[i]!;
  copyInto(block, answer.block);
}

/** Where there is no worker after all, the kernel runs on this thread. */
function runHere({ kernels }: Means, kernel: KernelName, control: Control, operands: readonly Held[]): void {
  const run = kernels[kernel] as (control: Control, ...arrays: (Data | null)[]) => void;
  run(control, ...operands.map(arrayOf));
}

export function offThreadOf(means: Means): OffThread {
  return {
    get sharesMemory() {
      return canSendShared();
    },
    pool,
    mostCalls: () => Math.min(MOST_THREADS - 1, threadsBeside(undefined)),
    async start(kernel, control, stop, operands) {
      control.set("threadsUsed", 1);
      const worker = await workers.take(means.module);
      if (!worker) return runHere(means, kernel, control, operands);
      try {
        await runThere({ worker, staging: means.staging, control, stop }, kernel, operands);
      } finally {
        workers.give(worker);
      }
    },
    makeOutput(dtype, length) {
      const memory = new Movable(new ArrayBuffer(bytesOf(dtype) * length));
      return new HiddenOutput(new MemoryPart(memory, dtype, 0, length));
    },
    takeOutput: ({ hidden }) => (hidden as { readonly memory: Movable }).memory.buffer,
  };
}

/** Why asynchronous calls run on the calling thread, or null where they run in workers. */
export function whyInline(): string | null {
  return workers.refusal ?? whyNoWorkers();
}

/** Ends the workers that have no call. Later calls begin new ones. */
export function endCallWorkers(): void {
  workers.end();
}
