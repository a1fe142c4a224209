// An instance of the WASM module with a memory of its own, which never grows, so that no view is ever detached; and
// the control block's way into it and back.
import { HEADER, Part, Slot, type Control } from "../../kernels/control.js";
import type { Kernels } from "../../kernels/kernels.js";
import { isStoredIn16Bits, type Data, type Floats } from "../../base/types.js";
import { copyIn, copyOut, copyRows, fieldRows, stateRows, type Rows, type Span } from "./copy.js";
import type { Box } from "./tiles.js";

export const ALIGNMENT = 64;
/** How far past an operand the kernels may read. */
export const OVERREAD = 128;
export const PAGE = 65_536;

/** Bytes of a value as it is computed with. */
export function bytesOf({ isFloat32 }: Control): number {
  return isFloat32 ? 4 : 8;
}

type Kernel = (control: number, size: number, ...pointers: number[]) => void;

/** `count` is a result of weighted moments; the others leave it as it is. */
const COUNTERS = [Slot.count, Slot.block, Slot.groupCount, Slot.totalCount];

export function align(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

/** The tile's part of what has no channels. */
function withoutChannels(box: Box): Box {
  return { ...box, c: 0, extent: { ...box.extent, channels: 1 } };
}

export class Instance {
  readonly #kernels: Readonly<Record<keyof Kernels, Kernel>>;
  readonly buffer: ArrayBuffer;
  /** Where the control block stands: the first free byte. */
  readonly base: number;
  readonly #convert: Readonly<Record<"widen" | "narrow", (storage: number, address: number, count: number) => void>>;
  readonly #f32: Float32Array;
  readonly #f64: Float64Array;
  readonly #u16: Uint16Array;

  /** @throws RangeError where the engine has no such memory. */
  constructor(module: WebAssembly.Module, pages: number) {
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const { exports } = new WebAssembly.Instance(module, { env: { memory } });
    this.#kernels = exports as Record<keyof Kernels, Kernel>;
    this.#convert = exports as Record<"widen" | "narrow", (storage: number, address: number, count: number) => void>;
    this.buffer = memory.buffer;
    this.base = align((exports["heapBase"] as WebAssembly.Global).value as number);
    this.#f32 = new Float32Array(memory.buffer);
    this.#f64 = new Float64Array(memory.buffer);
    this.#u16 = new Uint16Array(memory.buffer);
  }

  /** A tile's values from `data` to the memory at `address`, where it has `bytes` bytes. */
  copyIn(control: Control, address: number, bytes: number, data: Data, box: Box): void {
    const { extent, dtype, isFloat32 } = control;
    if (!isStoredIn16Bits(dtype)) return copyIn(this.#heap(isFloat32), address / bytesOf(control), data, extent, box);
    copyIn(this.#u16, (address + bytes / 2) / 2, data, extent, box);
    this.#convert.widen(control.get("storage"), address, bytes / 4);
  }

  /** And back. */
  copyOut(control: Control, address: number, bytes: number, data: Data, box: Box): void {
    const { extent, dtype, isFloat32 } = control;
    if (!isStoredIn16Bits(dtype)) return copyOut(this.#heap(isFloat32), address / bytesOf(control), data, extent, box);
    this.#convert.narrow(control.get("storage"), address, bytes / 4);
    copyOut(this.#u16, address / 2, data, extent, box);
  }

  /** Weights of the tile's positions, or of all. */
  putWeights(control: Control, address: number, weights: Floats, box?: Box): void {
    const heap = this.#heap(control.isFloat32);
    const at = address / bytesOf(control);
    if (!box) heap.set(weights, at);
    else copyIn(heap, at, weights, { ...control.extent, channels: 1 }, withoutChannels(box));
  }

  #heap(isFloat32: boolean): Data {
    return isFloat32 ? this.#f32 : this.#f64;
  }

  /** Runs a kernel on the control block and the operands at these byte addresses. */
  run(kernel: keyof Kernels, control: Control, pointers: readonly number[]): void {
    this.#kernels[kernel](this.base, bytesOf(control), ...pointers);
  }

  /** Header, the fields a kernel reads, and what an earlier part left. */
  load(control: Control, reads: Span, box: Box): void {
    const header = this.base / 8;
    for (let slot = 0; slot < HEADER; slot++) this.#f64[header + slot] = control.block[slot]!;
    this.#loadRows(control, fieldRows(control, box, reads));
    if (!(control.block[Slot.part]! & Part.first)) this.#loadRows(control, stateRows(control, box));
  }

  /** The part of the tensor that the next call is about. */
  setBox({ block }: Control, { extent, first, last }: Box): void {
    const header = this.base / 8;
    this.#f64[header + Slot.outer] = extent.outer;
    this.#f64[header + Slot.channels] = extent.channels;
    this.#f64[header + Slot.inner] = extent.inner;
    this.#f64[header + Slot.part] = block[Slot.part]! & ((first ? Part.first : 0) | (last ? Part.last : 0));
  }

  /** The fields a kernel wrote, and what a later part goes on from. */
  save(control: Control, writes: Span, box: Box): void {
    this.#saveRows(control, fieldRows(control, box, writes));
    if (!(control.block[Slot.part]! & Part.last)) this.#saveRows(control, stateRows(control, box));
  }

  /** After all channels: every range of them starts from the same counters. */
  saveCounters({ block }: Control): void {
    for (const slot of COUNTERS) block[slot] = this.#f64[this.base / 8 + slot]!;
  }

  #loadRows({ block }: Control, { own, ownStride, staged, length, count }: Rows): void {
    copyRows(block, own, ownStride, this.#f64, this.base / 8 + staged, length, length, count);
  }

  #saveRows({ block }: Control, { own, ownStride, staged, length, count }: Rows): void {
    copyRows(this.#f64, this.base / 8 + staged, length, block, own, ownStride, length, count);
  }
}
