// The self-check in a memory of its own: arrays and control blocks lie where the kernels work on them, so that nothing is
// copied, and the module itself makes the data and hashes the results.
import { Control, stagedLength, traversalOf, controlLength, type Extent } from "../../kernels/control.js";
import { LANES, type Field } from "../../kernels/layout.js";
import type { Kernels } from "../../kernels/kernels.js";
import { KERNEL_NAMES, type KernelName } from "../../kernels/operands.js";
import { isStoredIn16Bits, type Data, type DType } from "../../base/types.js";
import { digestOf, unifyNaN, type Sample, type Tools } from "../self-check/tools.js";
import { INSTANCE_BYTES, SHARES_BYTES, prepare, wordsOf, writeShares } from "./division.js";
import { PAGE, align, bytesOf, exportsOf, ownBytesOf } from "./instance.js";
import { stepsOf } from "./shares.js";
import { SHARE_BYTES } from "./worker/messages.js";

/** Twice what the largest case that is not for native kernels alone takes with float64. */
const PAGES = 32;

/** For calls in shares: an instance with states and scratch, then the shares, then sums of groups, which no case has more of. */
const GROUPS = INSTANCE_BYTES + SHARES_BYTES;
const SHARED_BYTES = GROUPS + 8 * PAGE;
/** Calls are divided as for so many threads. */
const THREADS = 3;

/** What the module has for the self-check. */
export const CHECK_NAMES = ["fillSequence", "hash", "unifyNaN", "gradients"] as const;
type Exports = Readonly<
  Record<KernelName | "share" | "mergeGroups" | (typeof CHECK_NAMES)[number], (...numbers: number[]) => void>
>;

type Operand = Data | null | undefined;
type AnyKernel = (control: Control, ...operands: Operand[]) => void;

const at = (data: Operand): number => (data ? data.byteOffset : 0);
const endOf = (data: ArrayBufferView): number => data.byteOffset + data.byteLength;

export class CheckMemory implements Tools {
  readonly #exports: Exports;
  readonly #buffer: ArrayBufferLike;
  readonly #lanes: Int32Array;
  #next = 0;

  readonly #words: Uint32Array | null;

  /** With `isDivided` the memory is shared, and calls are divided into shares, all of which one thread does. */
  constructor(module: WebAssembly.Module, isDivided = false) {
    const pages = PAGES + (isDivided ? SHARED_BYTES / PAGE : 0);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: isDivided });
    const exports = exportsOf(module, memory, 0);
    this.#exports = exports as unknown as Exports;
    this.#buffer = memory.buffer;
    this.#words = isDivided ? new Uint32Array(memory.buffer, INSTANCE_BYTES, SHARES_BYTES / 4) : null;
    const begin = isDivided ? SHARED_BYTES : align(ownBytesOf(exports));
    this.#lanes = new Int32Array(memory.buffer, begin, LANES);
    this.begin();
  }

  begin(): void {
    this.#next = endOf(this.#lanes);
  }

  /** The address of so many bytes. */
  #take(bytes: number): number {
    const address = this.#next;
    this.#next = align(address + bytes);
    if (this.#next + PAGE > this.#buffer.byteLength) throw new Error("the self-check's memory is too small");
    return address;
  }

  allocate(dtype: DType, length: number): Data {
    if (isStoredIn16Bits(dtype)) return new Uint16Array(this.#buffer, this.#take(2 * length), length);
    return dtype === "float32" ? new Float32Array(this.#buffer, this.#take(4 * length), length) : this.#doubles(length);
  }

  #doubles(length: number): Float64Array<ArrayBuffer> {
    return new Float64Array(this.#buffer as ArrayBuffer, this.#take(8 * length), length);
  }

  controlOf(dtype: DType, extent: Extent): Control {
    const traversal = traversalOf(extent);
    const staged = this.#doubles(stagedLength(extent, traversal));
    return new Control(dtype, extent, traversal, staged.subarray(0, controlLength(extent)).fill(0));
  }

  readonly sample: Sample = ({ outer, channels, inner }, { huge, tiny }, seed, high, offset = 0) => {
    const values = this.#doubles(outer * channels * inner);
    const length = outer * (inner < LANES ? 1 : inner);
    const samples = high === "unsampled" ? Math.min(LANES, 2 ** (31 - Math.clz32(length))) : 1;
    const [sampled, unsampled] = high === "unsampled" ? [0, offset] : [offset, 0];
    const sequence = [seed, huge, tiny, samples, sampled, unsampled];
    this.#exports.fillSequence(values.byteOffset, outer, channels, inner, ...sequence);
    return values;
  };

  unifyNaN(values: Data, dtype: DType): void {
    if (values instanceof Uint16Array) unifyNaN(values, dtype);
    else this.#exports.unifyNaN(values.byteOffset, endOf(values), values.BYTES_PER_ELEMENT);
  }

  gradients(control: Control): void {
    this.#exports.gradients(control.block.byteOffset, bytesOf(control));
  }

  add(values: Data): void {
    let here = values;
    if (values.buffer !== this.#buffer) {
      const end = this.#next;
      here = this.allocate("float64", values.length);
      here.set(values);
      this.#next = end;
    }
    this.#exports.hash(this.#lanes.byteOffset, here.byteOffset, here.byteLength, 1);
  }

  addFields({ fields }: Control, names: readonly Field[]): void {
    const first = fields[names[0]!];
    this.#exports.hash(this.#lanes.byteOffset, first.byteOffset, first.byteLength, names.length);
  }

  digest(): number {
    return digestOf(this.#lanes);
  }

  /** The kernels on arrays and control blocks of this memory; null for elements that they cannot have there. */
  kernelsFor(dtype: DType): Kernels | null {
    if (isStoredIn16Bits(dtype)) return null;
    const size = dtype === "float32" ? 4 : 8;
    const entries = KERNEL_NAMES.map((name) => {
      const run = this.#exports[name];
      // One argument for each operand of any kernel: spreading arrays takes longer, and WebAssembly ignores the last ones.
      const kernel: AnyKernel = ({ block }, a, b, c, d, e, f) => {
        run(block.byteOffset, size, at(a), at(b), at(c), at(d), at(e), at(f));
      };
      return [name, this.#words ? this.#dividing(name, this.#words, kernel) : kernel];
    });
    return Object.fromEntries(entries) as Kernels;
  }

  /** A kernel in shares, the last of them first; `whole` is for calls that have none. */
  #dividing(kernel: KernelName, words: Uint32Array, whole: AnyKernel): AnyKernel {
    return (control, ...operands) => {
      const { extent, traversal, block } = control;
      const sizes = { mostColumns: Infinity, valueBytes: bytesOf(control), grain: 0, threads: THREADS };
      const steps = stepsOf(kernel, { extent, traversal, ...sizes });
      if (!steps) return whole(control, ...operands);
      for (const step of steps) {
        prepare(control, kernel, step);
        const common = wordsOf(control, block.byteOffset, kernel, step, operands.map(at), GROUPS);
        writeShares(words, common, control, step.shares);
        for (let i = step.shares.length - 1; i >= 0; i--) this.#exports.share(INSTANCE_BYTES + i * SHARE_BYTES);
        if (step.groups > 0) this.#exports.mergeGroups(INSTANCE_BYTES, step.groups);
      }
    };
  }
}
