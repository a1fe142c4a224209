// The WASM backend: instantiates the module with one fixed memory and stages arrays through it,
// tile by tile, so that tensors of any size fit and no memory grows under anybody's views.
import { affineCoefficients, batchInvStd, gradCoefficients } from "./coefficients.js";
import { FIELDS, HEADER, Part, STATES, Slot, columnsOf, type Control } from "./control.js";
import type { Kernels } from "./kernels.js";
import type { Data } from "./types.js";
import { wasmBase64 } from "./wasm-binary.js";
import { copyIn, copyOut } from "./wasm-copy.js";
import { boxesOf, tileForElements, tileForSums, type Box, type Room, type Step } from "./wasm-tiles.js";

const PAGE = 65536;
/**
 * 16 MiB: three operands of the largest tiles and the control block of some 10 000 channels with room
 * to spare; pages never touched cost nothing. Larger would not be faster: tiles are sized for the cache.
 */
const PAGES = 256;
/** One block of the few-columns walk, 2048 rows of 15 float64 columns, three times, and its control block. */
const MIN_PAGES = 12;
const TILE_BYTES = 1 << 20;
const ALIGNMENT = 64;
/** The kernels read up to 128 bytes past an operand. */
const SLACK = 128 + 4 * ALIGNMENT;

export interface StagingOptions {
  /** Size of the memory in pages of 64 KiB. */
  readonly pages?: number;
  /** Bytes of an operand's tile, as far as blocks allow: small enough to stay in cache. */
  readonly tileBytes?: number;
}

type Field = (typeof FIELDS)[number];
type Span = readonly [first: Field, last: Field];

/** A kernel call: which arrays go through which staging slots. */
interface Call {
  readonly kernel: keyof Kernels;
  readonly control: Control;
  /** What is copied into each slot, and what out of it; a slot with neither takes no memory. */
  readonly ins: readonly (Data | null)[];
  readonly outs: readonly (Data | null)[];
  /** The slot of each of the kernel's operands; −1 where absent. */
  readonly operands: readonly number[];
  readonly reads: Span | null;
  readonly writes: Span | null;
}

type Kernel = (...pointers: number[]) => void;

const indexOfField = new Map<Field, number>(FIELDS.map((field, i) => [field, i]));

class Staging {
  readonly #exports: WebAssembly.Exports;
  readonly #f32: Float32Array;
  readonly #f64: Float64Array;
  readonly #base: number;
  readonly #bytes: number;
  readonly #tileBytes: number;

  constructor(module: WebAssembly.Module, { pages = PAGES, tileBytes = TILE_BYTES }: StagingOptions) {
    if (pages < MIN_PAGES) throw new RangeError(`"pages" must be at least ${MIN_PAGES}, got ${pages}`);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.#exports = new WebAssembly.Instance(module, { env: { memory } }).exports;
    this.#f32 = new Float32Array(memory.buffer);
    this.#f64 = new Float64Array(memory.buffer);
    this.#base = align((this.#exports["heapBase"] as WebAssembly.Global<"i32">).value);
    this.#bytes = memory.buffer.byteLength - this.#base - SLACK;
    this.#tileBytes = tileBytes;
  }

  /** The tiles of a call; null where its sums need several for one channel and the fused kernel cannot be used. */
  tile({ control, ins, outs }: Call, plan: (extent: Control["extent"], walk: Control["walk"], room: Room) => Step): Step {
    const operands = ins.filter((data, slot) => data ?? outs[slot]).length;
    const room = { bytes: this.#bytes, tileBytes: this.#tileBytes, operands, valueBytes: valueBytes(control) };
    return plan(control.extent, control.walk, room);
  }

  run(call: Call, step: Step): void {
    const { control } = call;
    const kernel = this.#exports[call.kernel + (control.dtype === "float32" ? "F32" : "F64")] as Kernel;
    for (const box of boxesOf(control.extent, step)) {
      if (box.first) this.#loadControl(call, box);
      this.#setHeader(control, box);
      this.#runTile(call, box, kernel);
      if (box.last) this.#saveControl(call, box);
    }
    const header = this.#base / 8;
    for (const slot of [Slot.block, Slot.groupCount, Slot.totalCount]) control.block[slot] = this.#f64[header + slot]!;
  }

  #runTile({ control, ins, outs, operands }: Call, box: Box, kernel: Kernel): void {
    const heap = control.dtype === "float32" ? this.#f32 : this.#f64;
    const size = valueBytes(control);
    const { outer, channels, inner } = box.extent;
    const slotBytes = align(outer * channels * inner * size);
    const addresses: number[] = [];
    let address = this.#base + align(8 * (HEADER + FIELDS.length * channels) + this.#stateBytes(control, box));
    for (let slot = 0; slot < ins.length; slot++) {
      const data = ins[slot];
      addresses.push(address);
      if (data) copyIn(heap, address / size, data, control.extent, box);
      if (data ?? outs[slot]) address += slotBytes;
    }
    kernel(this.#base, ...operands.map((slot) => (slot < 0 ? 0 : addresses[slot]!)));
    for (let slot = 0; slot < outs.length; slot++) {
      const data = outs[slot];
      if (data) copyOut(heap, addresses[slot]! / size, data, control.extent, box);
    }
  }
}
