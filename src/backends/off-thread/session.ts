// One asynchronous call: its kernels run on another thread, on memory that cannot go away. Arrays in shared memory are used
// as they are. All others are copied to memory of the call and back in slices, between which the event loop goes on.
import { copyInto, partsOf } from "../../base/arrays.js";
import { bufferOf, byteLengthOf, byteOffsetOf, isShared, lengthOf, tagOf } from "../../base/check.js";
import { lostArray } from "../../base/errors.js";
import { SIZED_LIKE, allocateOutput, viewOf } from "../../base/outputs.js";
import { onAbort, throwIfAborted, type AbortSignalLike } from "../../base/signal.js";
import { allocate, type Data, type DType } from "../../base/types.js";
import type { Control } from "../../kernels/control.js";
import type { LaterKernels } from "../../kernels/kernels.js";
import { KERNELS, KERNEL_NAMES, OPERANDS, operandOf, type KernelName } from "../../kernels/operands.js";
import type { CallMemory } from "./memory-pool.js";
import { MemoryPart, type Held, type HiddenOutput, type OffThread } from "./off-thread.js";
import { inSlices, limited } from "./turns.js";

/** An array, and its copy in memory of the call. */
interface Place {
  readonly array: Data;
  readonly length: number;
  readonly memory: CallMemory;
  /** Whether the array is scratch, which nobody reads outside of kernels. */
  readonly isScratch: boolean;
  /** Whether the copy has the elements of the array, and whether a kernel has written to it. */
  isLoaded: boolean;
  isChanged: boolean;
}

/** The type of an array's elements, or one whose elements are as large. */
function typeOf(array: Data): DType {
  return SIZED_LIKE.get(tagOf(array))!;
}

/** Whether an array is a part of another, or all of it. */
function isWithin(part: Data, whole: Data): boolean {
  const [begin, start] = [byteOffsetOf(part), byteOffsetOf(whole)];
  return (
    bufferOf(part) === bufferOf(whole) && begin >= start && begin + byteLengthOf(part) <= start + byteLengthOf(whole)
  );
}

/** Of each operand of a kernel call: whether the kernel writes it, and its length. */
function operandsOf(name: KernelName, { extent }: Control): readonly { writes: boolean; length: number }[] {
  const { outer, channels, inner } = extent;
  return KERNELS[name].operands.map((entry) => {
    const operand = operandOf(entry).name;
    const length = outer * inner * (operand === "w" ? 1 : channels);
    return { writes: OPERANDS[operand].role === "output", length };
  });
}

export class Session {
  readonly kernels: LaterKernels;
  readonly #offThread: OffThread;
  readonly #signal: AbortSignalLike | null;
  readonly #stop: Int32Array | null;
  readonly #places: Place[] = [];
  readonly #outputs = new Map<
    Data,
    { readonly output: HiddenOutput; readonly dtype: DType; readonly length: number }
  >();
  /** Takes the listener of the signal back. */
  readonly #unlisten: (() => void) | null;

  constructor(offThread: OffThread, signal: AbortSignalLike | null) {
    this.#offThread = offThread;
    this.#signal = signal;
    const stop = offThread.sharesMemory ? new Int32Array(new SharedArrayBuffer(4)) : null;
    this.#stop = stop;
    this.#unlisten = signal && stop && onAbort(signal, () => void Atomics.store(stop, 0, 1));
    const entries = KERNEL_NAMES.map((name) => [
      name,
      (control: Control, ...operands: (Data | null)[]) => this.#run(name, control, operands),
    ]);
    this.kernels = Object.fromEntries(entries) as LaterKernels;
  }

  /** Says that an array is copied at most once each way, at its first use and at the end. JavaScript leaves it alone. */
  keep(array: Data | null): void {
    if (!array || lengthOf(array) === 0 || this.#isUsedAsItIs(array) || this.#outputs.has(array)) return;
    if (!this.#placeOf(array)) this.#places.push(this.#stage(array));
  }

  /** Makes an output that kernels write without a copy. The array that is returned stands for it until it is taken. */
  output(dtype: DType, length: number): Data {
    const standIn = allocate(dtype, 1);
    this.#outputs.set(standIn, { output: this.#offThread.makeOutput(dtype, length), dtype, length });
    return standIn;
  }

  /** The array that another stands for, as soon as no kernel needs it any more; other arrays are returned. */
  taken(array: Data): Data {
    const found = this.#outputs.get(array);
    if (!found) return array;
    this.#outputs.delete(array);
    return viewOf(found.dtype, this.#offThread.takeOutput(found.output), 0, found.length);
  }

  /** Makes an array that kernels alone write and read, during this call. It stands for its memory, and is never touched. */
  readonly scratch = (dtype: DType, length: number): Data => {
    const array = allocateOutput(dtype, Math.max(1, length));
    this.#places.push({ ...this.#stage(array), isScratch: true, isLoaded: true });
    return array;
  };

  /** Copies what kernels have written to the arrays that were given. */
  async finish(): Promise<void> {
    for (const place of this.#places) if (place.isChanged && !place.isScratch) await this.#unload(place);
  }

  /** Gives all memory back. No kernel runs any more. */
  close(): void {
    this.#unlisten?.();
    for (const { memory } of this.#places) this.#offThread.pool.give(memory);
    this.#places.length = 0;
    this.#outputs.clear();
  }

  async #run(name: KernelName, control: Control, operands: readonly (Data | null)[]): Promise<void> {
    const expected = operandsOf(name, control);
    const staged: (Place | null)[] = [];
    const held: Held[] = [];
    const changed: Place[] = [];
    const passing: Place[] = [];
    try {
      for (const [i, array] of operands.entries()) {
        const place = array && this.#stagedFor(array, passing);
        if (place && expected[i]!.writes) changed.push(place);
        else if (place) await this.#load(place);
        staged.push(place);
      }
      // Meanwhile other code ran.
      for (const [i, array] of operands.entries()) {
        const place = staged[i];
        if (array && !this.#outputs.has(array)) checkThere(array, expected[i]!.length);
        held.push(place ? partIn(place, array!) : this.#heldAs(array));
      }
      await limited(this.#offThread.mostCalls(), () => {
        throwIfAborted(this.#signal);
        return this.#offThread.start(name, control, this.#stop, held);
      });
      throwIfAborted(this.#signal);
      for (const place of changed) place.isChanged = true;
      for (const place of passing) if (place.isChanged) await this.#unload(place);
    } finally {
      for (const { memory } of passing) this.#offThread.pool.give(memory);
    }
  }

  #isUsedAsItIs(array: Data): boolean {
    return this.#offThread.sharesMemory && isShared(bufferOf(array));
  }

  /** Where the copy of an array is, or null if it needs none. Arrays that are not kept are copied for one kernel. */
  #stagedFor(array: Data, passing: Place[]): Place | null {
    if (this.#outputs.has(array) || this.#isUsedAsItIs(array)) return null;
    const kept = this.#placeOf(array) ?? passing.find((place) => isWithin(array, place.array));
    if (kept) return kept;
    const place = this.#stage(array);
    passing.push(place);
    return place;
  }

  #heldAs(array: Data | null): Held {
    return (array && this.#outputs.get(array)?.output) ?? array;
  }

  #placeOf(array: Data): Place | undefined {
    return this.#places.find((place) => isWithin(array, place.array));
  }

  #stage(array: Data): Place {
    const memory = this.#offThread.pool.take(Math.max(1, byteLengthOf(array)));
    return { array, length: lengthOf(array), memory, isScratch: false, isLoaded: false, isChanged: false };
  }

  /** Copies an array to memory of the call, unless it is there. What a kernel has written is newer than the array. */
  async #load(place: Place): Promise<void> {
    if (place.isLoaded || place.isChanged) return;
    const { array, length } = place;
    const copy = copyIn(place);
    await inSlices(length, (begin, end) => {
      throwIfAborted(this.#signal);
      checkThere(array, length);
      copyInto(copy, partsOf(array)(begin, end - begin), begin);
    });
    place.isLoaded = true;
  }

  async #unload(place: Place): Promise<void> {
    const { array, length } = place;
    const copy = copyIn(place);
    await inSlices(length, (begin, end) => {
      throwIfAborted(this.#signal);
      checkThere(array, length);
      copyInto(array, partsOf(copy)(begin, end - begin), begin);
    });
    place.isChanged = false;
    place.isLoaded = true;
  }
}

/** An array may have lost its memory while other code ran, and also before it was first looked at. */
function checkThere(array: Data, length: number): void {
  if (lengthOf(array) !== length) throw lostArray(`an array of ${length} elements`);
}

function copyIn({ array, length, memory }: Place): Data {
  return viewOf(typeOf(array), memory.buffer, 0, length);
}

/** The part of the copy that a part of the array has. */
function partIn({ array, memory }: Place, part: Data): MemoryPart {
  return new MemoryPart(memory, typeOf(part), byteOffsetOf(part) - byteOffsetOf(array), lengthOf(part));
}
