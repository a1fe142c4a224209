// Staging: one fixed WASM memory that kernel calls go through, tile by tile. It never grows, so that
// no view is ever detached. [control block][operand][operand]…, laid out anew for every tile.
import {
  FIELDS, HEADER, Part, STATES, Slot, Walk, controlLength, columnsOf, type Control,
} from "./control.js";
import type { Kernels } from "./kernels.js";
import type { Data } from "./types.js";
import { copyIn, copyOut } from "./wasm-copy.js";
import { boxesOf, type Box, type Room, type Step } from "./wasm-tiles.js";

const ALIGNMENT = 64;
/** The kernels read up to 128 bytes past an operand; operands are aligned. */
const SLACK = 128 + 5 * ALIGNMENT;
/** One block of the few-columns walk, 2048 rows of 15 float64 columns, three times, and its control block. */
const MIN_PAGES = 12;

/** A range of fields, by their place in FIELDS. */
export type Span = readonly [begin: number, end: number];

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

type Plan = (extent: Control["extent"], walk: Walk, room: Room) => Step;
type Kernel = (...pointers: number[]) => void;

function align(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

function valueBytes(control: Control): number {
  return control.dtype === "float32" ? 4 : 8;
}

/** Whether a tile of this step holds all values of its channels. */
export function holdsChannels({ extent }: Control, step: Step): boolean {
  return step.outer >= extent.outer && step.inner >= extent.inner;
}

export class Staging {
  readonly #exports: WebAssembly.Exports;
  readonly #f32: Float32Array;
  readonly #f64: Float64Array;
  readonly #base: number;
  readonly #bytes: number;

  constructor(module: WebAssembly.Module, pages: number, readonly tileBytes: number) {
    if (!(pages >= MIN_PAGES)) throw new RangeError(`"pages" must be at least ${MIN_PAGES}, got ${pages}`);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.#exports = new WebAssembly.Instance(module, { env: { memory } }).exports;
    this.#f32 = new Float32Array(memory.buffer);
    this.#f64 = new Float64Array(memory.buffer);
    this.#base = align((this.#exports["heapBase"] as WebAssembly.Global).value as number);
    this.#bytes = memory.buffer.byteLength - this.#base - SLACK;
  }

  /** The tiles of a call. */
  plan(control: Control, { ins, outs }: Call, plan: Plan): Step {
    let operands = 0;
    for (let slot = 0; slot < ins.length; slot++) if (ins[slot] ?? outs[slot]) operands++;
    const room = { bytes: this.#bytes, tileBytes: this.tileBytes, operands, valueBytes: valueBytes(control) };
    return plan(control.extent, control.walk, room);
  }

  run(control: Control, call: Call, step: Step): void {
    const kernel = this.#exports[call.kernel + (control.dtype === "float32" ? "F32" : "F64")] as Kernel;
    for (const box of boxesOf(control.extent, step)) {
      if (box.first) this.#load(control, call, box);
      this.#setHeader(control, box);
      this.#runTile(control, call, box, kernel);
      if (box.last) this.#save(control, call, box);
    }
    // Only now: every range of channels starts from the same counters.
    const header = this.#base / 8;
    for (const slot of [Slot.block, Slot.groupCount, Slot.totalCount]) control.block[slot] = this.#f64[header + slot]!;
  }

  #runTile(control: Control, { ins, outs, operands }: Call, box: Box, kernel: Kernel): void {
    const heap = control.dtype === "float32" ? this.#f32 : this.#f64;
    const size = valueBytes(control);
    const { outer, channels, inner } = box.extent;
    const operandBytes = align(outer * channels * inner * size);
    const addresses: number[] = [];
    let address = this.#base + align(8 * controlLength(box.extent, control.walk));
    for (let slot = 0; slot < ins.length; slot++) {
      const data = ins[slot];
      addresses.push(address);
      if (data) copyIn(heap, address / size, data, control.extent, box);
      if (data ?? outs[slot]) address += operandBytes;
    }
    kernel(this.#base, ...operands.map((slot) => (slot < 0 ? 0 : addresses[slot]!)));
    for (let slot = 0; slot < outs.length; slot++) {
      const data = outs[slot];
      if (data) copyOut(heap, addresses[slot]! / size, data, control.extent, box);
    }
  }

  #setHeader(control: Control, { extent, first, last }: Box): void {
    const header = this.#base / 8;
    const part = control.get("part");
    this.#f64[header + Slot.outer] = extent.outer;
    this.#f64[header + Slot.channels] = extent.channels;
    this.#f64[header + Slot.inner] = extent.inner;
    this.#f64[header + Slot.part] = (first ? part & Part.first : 0) | (last ? part & Part.last : 0);
  }

  /** Header, the fields the kernel reads, and what an earlier part left. */
  #load(control: Control, { reads }: Call, box: Box): void {
    const { block } = control;
    const header = this.#base / 8;
    for (let slot = 0; slot < HEADER; slot++) this.#f64[header + slot] = block[slot]!;
    this.#eachField(control, box, reads, (own, staged, count) => copy(block, own, this.#f64, staged, count));
    if (control.get("part") & Part.first) return;
    this.#eachState(control, box, (own, staged, count) => copy(block, own, this.#f64, staged, count));
  }

  #save(control: Control, { writes }: Call, box: Box): void {
    const { block } = control;
    this.#eachField(control, box, writes, (own, staged, count) => copy(this.#f64, staged, block, own, count));
    if (control.get("part") & Part.last) return;
    this.#eachState(control, box, (own, staged, count) => copy(this.#f64, staged, block, own, count));
  }

  /** Places of the tile's channels in the caller's block and in the memory, field by field. */
  #eachField({ extent }: Control, { c, extent: tile }: Box, [begin, end]: Span, visit: Visit): void {
    const fields = this.#base / 8 + HEADER;
    for (let f = begin; f < end; f++) visit(HEADER + f * extent.channels + c, fields + f * tile.channels, tile.channels);
  }

  #eachState({ extent, walk }: Control, { c, extent: tile }: Box, visit: Visit): void {
    const perChannel = walk === Walk.planes ? 1 : extent.inner;
    const columns = tile.channels * perChannel;
    const own = HEADER + FIELDS.length * extent.channels + c * perChannel;
    const staged = this.#base / 8 + HEADER + FIELDS.length * tile.channels;
    for (let s = 0; s < STATES; s++) visit(own + s * columnsOf(extent, walk), staged + s * columns, columns);
  }
}

type Visit = (own: number, staged: number, count: number) => void;

/** By loop: rows of O(C) numbers, for which a view would cost more. */
function copy(from: Float64Array, start: number, to: Float64Array, at: number, count: number): void {
  for (let k = 0; k < count; k++) to[at + k] = from[start + k]!;
}
