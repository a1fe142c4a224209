// Good and bad calls at the addon's own entry points, drawn from a seed: node bad-calls.js ADDON SET…
// Each returns or throws a TypeError or RangeError. What it writes is for a sanitizer to watch: arrays are exact.
import { Control, type Extent } from "../../src/kernels/control.js";
import { Slot } from "../../src/kernels/layout.js";
import { KERNEL_NAMES, type KernelName } from "../../src/kernels/operands.js";
import { allocate, type FloatType as DType } from "../../src/base/types.js";
import { random } from "../../src/verify/data.js";
import { entryOperandsOf } from "../support/addon.js";

type Entry = (...args: unknown[]) => void;
type InstructionSets = Record<string, Record<KernelName, Entry>>;

const CALLS = 20_000;
const EXTENTS: readonly Extent[] = [
  { outer: 3, channels: 2, inner: 17 },
  { outer: 5, channels: 19, inner: 1 },
  { outer: 2, channels: 9, inner: 3 },
  { outer: 33, channels: 3, inner: 2 },
  { outer: 0, channels: 2, inner: 4 },
];
const NUMBERS = [NaN, Infinity, -1, -0, 0, 1, 2, 3, 0.5, 7, 16, 17, 2 ** 31, 2 ** 32, 2 ** 53, 2 ** 64, 1e300, 5e-324];
const NO_ARRAYS = [undefined, null, 7, "x", {}, [1, 2], new Uint8Array(8), new DataView(new ArrayBuffer(9)), Symbol()];
const SLOTS = Object.values(Slot);

/** An array whose memory went elsewhere. */
function detached(length: number): Float32Array {
  const array = new Float32Array(length);
  structuredClone(array, { transfer: [array.buffer] });
  return array;
}

/** Draws the arguments of a call: valid ones, each of which may be spoilt. */
class Caller {
  private readonly next = random(20261123);

  private below(count: number): number {
    return Math.floor(this.next() * count);
  }

  private one<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }

  /** A block of exactly its length; one in two has up to three wrong slots, some are short or no blocks. */
  private control(extent: Extent): unknown {
    const { block } = new Control("float32", extent);
    block[Slot.flags] = this.below(8);
    for (let i = this.below(2) * this.below(4); i > 0; i--) block[this.one(SLOTS)] = this.one(NUMBERS);
    const kind = this.below(20);
    if (kind === 0) return block.slice(0, this.below(block.length));
    return kind === 1 ? this.one(NO_ARRAYS) : block;
  }

  /** An operand of the right length, or short, of the wrong type, detached, no array, or part of another. */
  private operand(dtype: DType, size: number, others: readonly unknown[]): unknown {
    const other = this.one(others);
    switch (this.below(24)) {
      case 0:
        return allocate(dtype, this.below(size + 1));
      case 1:
        return allocate(dtype === "float32" ? "float64" : "float32", size);
      case 2:
        return detached(size);
      case 3:
      case 4:
        return this.one(NO_ARRAYS);
      case 5:
        return other;
      case 6:
        return other instanceof Float32Array ? other.subarray(this.below(4)) : other;
      default:
        return allocate(dtype, size).fill(1 + this.next());
    }
  }

  arguments(kernel: KernelName): unknown[] {
    const extent = this.one(EXTENTS);
    const dtype = this.one(["float32", "float64"] as const);
    const args: unknown[] = [this.control(extent)];
    const operands = entryOperandsOf(kernel);
    const count = this.below(30) === 0 ? this.below(8) : operands.length;
    for (let i = 0; i < count; i++) {
      // Weights have no channels: exactly so long, that a sanitizer sees what reads past them.
      const channels = operands[i]?.role === "weights" ? 1 : extent.channels;
      args.push(this.operand(dtype, extent.outer * channels * extent.inner, args));
    }
    return args;
  }
}

const [path, ...names] = process.argv.slice(2);
if (path === undefined) throw new RangeError("usage: node bad-calls.js ADDON SET…");
const addon: { exports: { instructionSets?: InstructionSets } } = { exports: {} };
process.dlopen(addon, path);

for (const name of names) {
  const caller = new Caller();
  let returned = 0;
  for (let i = 0; i < CALLS; i++) {
    const kernel = KERNEL_NAMES[i % KERNEL_NAMES.length]!;
    try {
      addon.exports.instructionSets![name]![kernel](...caller.arguments(kernel));
      returned++;
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    }
  }
  console.log(`${name}: ${CALLS} calls, ${returned} returned, ${CALLS - returned} refused`);
}
