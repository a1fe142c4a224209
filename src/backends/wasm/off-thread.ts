// Kernel calls of asynchronous calls in workers. Shared memory is used as it is. New outputs are moved to the worker and back,
// and where there is no shared memory, so are copies of arrays: a page need not be isolated for it.
import { bufferOf, byteOffsetOf, lengthOf, tagOf } from "../../base/check.js";
import { SIZED_LIKE, bytesOf, viewOf } from "../../base/outputs.js";
import type { Data } from "../../base/types.js";
import type { Control } from "../../kernels/control.js";
import type { Kernels } from "../../kernels/kernels.js";
import { Slot } from "../../kernels/layout.js";
import type { KernelName } from "../../kernels/operands.js";
import { MemoryPool, makeShared, type CallMemory } from "../off-thread/memory-pool.js";
import { HiddenOutput, MemoryPart, type Held, type OffThread } from "../off-thread/off-thread.js";
import { threadsBeside } from "../threads.js";
import { CallWorkers, type CallWorker } from "./call-workers.js";
import { callOf } from "./calls.js";
import { copyFields } from "./copy.js";
import { planOf } from "./plan.js";
import type { Staging } from "./staging.js";
import { boxesIn, boxesOf, portionsOf } from "./tiles.js";
import type { Operand } from "./worker/call-messages.js";
import { MOST_THREADS } from "./worker/seats.js";
import { canSendShared, whyNoWorkers } from "./workers.js";

/** Memory whose buffer is away while a kernel runs. */
class Movable implements CallMemory {
  constructor(public buffer: ArrayBuffer) {}
}

const sharedPool = new MemoryPool(makeShared);
/** Memory that comes back is new to the garbage collector, which it sets to work. So it is for pages without shared memory. */
const movablePool = new MemoryPool((bytes) => new Movable(new ArrayBuffer(bytes)));
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
    const { memory, dtype, offset, length } = part;
    if (!(memory instanceof Movable)) return { memory: memory.buffer as SharedArrayBuffer, dtype, offset, length };
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
  readonly crew: readonly CallWorker[];
  readonly staging: Staging;
  readonly control: Control;
  readonly stop: Int32Array | null;
}

/** Runs a kernel in workers, as its parts where it has to. */
async function runThere(situation: Situation, kernel: KernelName, operands: readonly Held[]): Promise<void> {
  const { crew, staging, control, stop } = situation;
  const luggage = new Luggage();
  const call = callOf(kernel, control, operands.map(luggage.operandOf));
  const { step, sums, composed } = planOf(staging, control, call);
  if (composed) return composed((part, own) => runThere(situation, part, own), control, operands);
  const { block, dtype, extent, traversal, isFloat32 } = control;
  const buffers = luggage.memories.map(({ buffer }) => buffer);
  const boxes = boxesOf(extent, step);
  const portions = portionsOf(boxes, sums, buffers.length > 0 ? 1 : crew.length);
  const errand = { control: { block, dtype, extent, traversal, isFloat32 }, call, step, stop, buffers };
  // All have ended before the call does: they write the caller's memory.
  const ends = await Promise.allSettled(portions.map((portion, k) => crew[k]!.run({ ...errand, portion })));
  for (const [k, end] of ends.entries()) {
    if (end.status === "rejected") throw end.reason;
    for (const [i, memory] of luggage.memories.entries()) memory.buffer = end.value.buffers[i]!;
    const own = boxesIn(boxes, portions[k]!);
    for (const box of own) if (box.last) copyFields(end.value.block, block, extent, box, call.writes);
    control.set("count", end.value.block[Slot.count]!);
  }
  control.set("threadsUsed", Math.max(control.get("threadsUsed"), portions.length));
}

function isMoved(held: Held): boolean {
  const part = partOf(held);
  return part instanceof MemoryPart && part.memory instanceof Movable;
}

/** How many workers a kernel is worth. Memory that is moved can be with one of them only. */
function wantedFor(control: Control, operands: readonly Held[]): number {
  if (operands.some(isMoved)) return 1;
  const { outer, channels, inner } = control.extent;
  return Math.min(control.get("threads"), Math.floor((outer * channels * inner) / control.get("grain")));
}

/** Where there is no worker after all, the kernel runs on this thread. */
function runHere({ kernels }: Means, kernel: KernelName, control: Control, operands: readonly Held[]): void {
  const run = kernels[kernel] as (control: Control, ...arrays: (Data | null)[]) => void;
  run(control, ...operands.map(arrayOf));
}

const mostCalls = (): number => Math.min(MOST_THREADS - 1, threadsBeside(undefined));

export function offThreadOf(means: Means): OffThread {
  return {
    get sharesMemory() {
      return canSendShared();
    },
    get pool() {
      return canSendShared() ? sharedPool : movablePool;
    },
    mostCalls,
    async start(kernel, control, stop, operands) {
      control.set("threadsUsed", 1);
      const wanted = wantedFor(control, operands);
      const crew = await workers.take(means.module, wanted, Math.max(mostCalls(), wanted));
      if (crew.length === 0) return runHere(means, kernel, control, operands);
      try {
        await runThere({ crew, staging: means.staging, control, stop }, kernel, operands);
      } finally {
        workers.give(crew);
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

/** Begins a worker, or finds out why there is none. */
export async function beginCallWorker(module: WebAssembly.Module): Promise<void> {
  workers.give(await workers.take(module, 1, 1));
}

/** Ends the workers that have no call. Later calls begin new ones. */
export function endCallWorkers(): void {
  workers.end();
}
