// Staging: one fixed WASM memory that kernel calls go through, tile by tile. It never grows, so that
// no view is ever detached. [control block][operand][operand]…, laid out anew for every tile.
import { HEADER, Part, Slot, sequentialLength, type Control, type Extent, type Walk } from "./control.js";
import type { Kernels } from "./kernels.js";
import type { DType, Data } from "./types.js";
import { copyIn, copyOut, copyRows, fieldRows, stateRows, type Rows, type Span } from "./wasm-copy.js";
import { boxesOf, type Box, type Room, type Step } from "./wasm-tiles.js";

const ALIGNMENT = 64;
/** The kernels read up to 128 bytes past an operand; the control block and operands are aligned. */
const SLACK = 128 + 5 * ALIGNMENT;
/** One block of the few-columns walk, 2048 rows of 15 float64 columns, three times, and its control block. */
const MIN_PAGES = 12;

/** A kernel call: which arrays go through which slots of the memory. */
export interface Call {
  readonly kernel: keyof Kernels;
  /** What is copied into each slot, and what out of it; a slot with neither takes no room. */
  readonly ins: readonly (Data | null)[];
  readonly outs: readonly (Data | null)[];
  /** The slot of each of the kernel's operands; −1 where absent. */
  readonly operands: readonly number[];
  readonly reads: Span;
  readonly writes: Span;
}

type Plan = (extent: Extent, walk: Walk, room: Room) => Step;
type Kernel = (...pointers: number[]) => void;
type KernelTable = Readonly<Record<keyof Kernels, Kernel>>;

const COUNTERS = [Slot.block, Slot.groupCount, Slot.totalCount];
const BYTES: Readonly<Record<DType, number>> = { float32: 4, float64: 8 };

function align(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

function kernelsOf(exports: WebAssembly.Exports, suffix: "F32" | "F64"): KernelTable {
  const kernel = (name: keyof Kernels): Kernel => exports[name + suffix] as Kernel;
  return {
    moments: kernel("moments"),
    normalize: kernel("normalize"),
    forward: kernel("forward"),
    gradSums: kernel("gradSums"),
    gradInput: kernel("gradInput"),
    backward: kernel("backward"),
  };
}

/** Whether tiles of this step hold all values of their channels. */
export function holdsChannels({ extent }: Control, step: Step): boolean {
  return step.outer >= extent.outer && step.inner >= extent.inner;
}

export class Staging {
  readonly #kernels: Readonly<Record<DType, KernelTable>>;
  readonly #f32: Float32Array;
  readonly #f64: Float64Array;
  /** Where the control block stands. */
  readonly #base: number;
  readonly #bytes: number;

  constructor(
    module: WebAssembly.Module,
    pages: number,
    readonly tileBytes: number,
  ) {
    if (!(pages >= MIN_PAGES)) throw new RangeError(`"pages" must be at least ${MIN_PAGES}, got ${pages}`);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const { exports } = new WebAssembly.Instance(module, { env: { memory } });
    this.#kernels = { float32: kernelsOf(exports, "F32"), float64: kernelsOf(exports, "F64") };
    this.#f32 = new Float32Array(memory.buffer);
    this.#f64 = new Float64Array(memory.buffer);
    this.#base = align((exports["heapBase"] as WebAssembly.Global).value as number);
    this.#bytes = memory.buffer.byteLength - this.#base - SLACK;
  }

  /** The tiles of a call. */
  plan(control: Control, { ins, outs }: Call, plan: Plan): Step {
    let operands = 0;
    for (let slot = 0; slot < ins.length; slot++) if (ins[slot] ?? outs[slot]) operands++;
    const room = { bytes: this.#bytes, tileBytes: this.tileBytes, operands, valueBytes: BYTES[control.dtype] };
    return plan(control.extent, control.walk, room);
  }

  run(control: Control, call: Call, step: Step): void {
    for (const box of boxesOf(control.extent, step)) {
      if (box.first) this.#load(control, call, box);
      this.#setHeader(control, box);
      this.#runTile(control, call, box);
      if (box.last) this.#save(control, call, box);
    }
    // Only now: every range of channels starts from the same counters.
    const header = this.#base / 8;
    for (const slot of COUNTERS) control.block[slot] = this.#f64[header + slot]!;
  }

  #runTile(control: Control, { kernel, ins, outs, operands }: Call, box: Box): void {
    const heap = control.dtype === "float32" ? this.#f32 : this.#f64;
    const size = BYTES[control.dtype];
    const { outer, channels, inner } = box.extent;
    const operandBytes = align(outer * channels * inner * size);
    const addresses: number[] = [];
    let address = this.#base + align(8 * sequentialLength(box.extent, control.walk));
    for (let slot = 0; slot < ins.length; slot++) {
      const data = ins[slot];
      addresses.push(address);
      if (data) copyIn(heap, address / size, data, control.extent, box);
      if (data ?? outs[slot]) address += operandBytes;
    }
    const pointers = operands.map((slot) => (slot < 0 ? 0 : addresses[slot]!));
    this.#kernels[control.dtype][kernel](this.#base, ...pointers);
    for (let slot = 0; slot < outs.length; slot++) {
      const data = outs[slot];
      if (data) copyOut(heap, addresses[slot]! / size, data, control.extent, box);
    }
  }

  #setHeader({ block }: Control, { extent, first, last }: Box): void {
    const header = this.#base / 8;
    this.#f64[header + Slot.outer] = extent.outer;
    this.#f64[header + Slot.channels] = extent.channels;
    this.#f64[header + Slot.inner] = extent.inner;
    this.#f64[header + Slot.part] = block[Slot.part]! & ((first ? Part.first : 0) | (last ? Part.last : 0));
  }

  /** Header, the fields the kernel reads, and what an earlier part left. */
  #load(control: Control, { reads }: Call, box: Box): void {
    const header = this.#base / 8;
    for (let slot = 0; slot < HEADER; slot++) this.#f64[header + slot] = control.block[slot]!;
    this.#loadRows(control, fieldRows(control, box, reads));
    if (!(control.block[Slot.part]! & Part.first)) this.#loadRows(control, stateRows(control, box));
  }

  /** The fields the kernel wrote, and what a later part goes on from. */
  #save(control: Control, { writes }: Call, box: Box): void {
    this.#saveRows(control, fieldRows(control, box, writes));
    if (!(control.block[Slot.part]! & Part.last)) this.#saveRows(control, stateRows(control, box));
  }

  #loadRows({ block }: Control, { own, ownStride, staged, length, count }: Rows): void {
    copyRows(block, own, ownStride, this.#f64, this.#base / 8 + staged, length, length, count);
  }

  #saveRows({ block }: Control, { own, ownStride, staged, length, count }: Rows): void {
    copyRows(this.#f64, this.#base / 8 + staged, length, block, own, ownStride, length, count);
  }
}
