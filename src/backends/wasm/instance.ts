// An instance of the WASM module with its memory, and the control block's way into it and back.
import { copyInto } from "../../base/arrays.js";
import type { Control } from "../../kernels/control.js";
import { HEADER, Part, Slot } from "../../kernels/layout.js";
import type { KernelName } from "../../kernels/operands.js";
import { isStoredIn16Bits, type Data } from "../../base/types.js";
import { copyIn, copyOut, copyRows, fieldRows, type Span } from "./copy.js";
import type { Box } from "./tiles.js";

export const ALIGNMENT = 64;
/** How far past an operand the kernels may read. */
export const OVERREAD = 128;
export const PAGE = 65_536;

/** What is known of a call's control block beside its values. It can be sent to another thread. */
export type Block = Pick<Control, "block" | "dtype" | "extent" | "traversal" | "isFloat32">;

/** Bytes of a value as it is computed with. */
export function bytesOf({ isFloat32 }: Pick<Block, "isFloat32">): number {
  return isFloat32 ? 4 : 8;
}

type Kernel = (control: number, size: number, ...pointers: number[]) => void;

/** What threads need beside the kernels (assembly/common/shares.ts). */
interface Sharing {
  share(share: number): void;
  mergeGroups(share: number, groups: number): void;
}

export function align(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

/** The tile's part of what has no channels. */
function withoutChannels(box: Box): Box {
  return { ...box, c: 0, extent: { ...box.extent, channels: 1 } };
}

/** Makes an instance whose own data begin at an address. */
export function exportsOf(module: WebAssembly.Module, memory: WebAssembly.Memory, base: number): WebAssembly.Exports {
  return new WebAssembly.Instance(module, { env: { memory, base } }).exports;
}

/** How many bytes an instance has to itself. */
export function ownBytesOf(exports: WebAssembly.Exports): number {
  return (exports["ownBytes"] as WebAssembly.Global).value as number;
}

export class Instance {
  readonly #memory: WebAssembly.Memory;
  readonly #kernels: Readonly<Record<KernelName, Kernel>>;
  readonly #convert: Readonly<Record<"widen" | "narrow", (storage: number, address: number, count: number) => void>>;
  readonly sharing: Sharing;
  /** The bytes that the instance has to itself, from `begin` on. */
  readonly ownBytes: number;
  readonly begin: number;
  /** Where the control block stands: behind these bytes, or where the caller says. */
  readonly base: number;
  #buffer!: ArrayBufferLike;
  #f32!: Float32Array;
  #f64!: Float64Array;
  #u16!: Uint16Array;

  /** `begin` is the first byte that is the instance's. */
  constructor(module: WebAssembly.Module, memory: WebAssembly.Memory, begin = 0, base?: number) {
    this.begin = align(begin);
    const exports: unknown = exportsOf(module, memory, this.begin);
    this.#memory = memory;
    this.#kernels = exports as Record<KernelName, Kernel>;
    this.#convert = exports as Record<"widen" | "narrow", (storage: number, address: number, count: number) => void>;
    this.sharing = exports as Sharing;
    this.ownBytes = ownBytesOf(exports as WebAssembly.Exports);
    this.base = base ?? align(this.begin + this.ownBytes);
    this.#view();
  }

  #view(): void {
    const { buffer } = this.#memory;
    this.#buffer = buffer;
    this.#f32 = new Float32Array(buffer);
    this.#f64 = new Float64Array(buffer);
    this.#u16 = new Uint16Array(buffer);
  }

  /** The memory's buffer. It is another one after the memory of a caller has grown. */
  get buffer(): ArrayBufferLike {
    if (this.#memory.buffer !== this.#buffer) this.#view();
    return this.#buffer;
  }

  /** A tile's values from `data` to the memory at `address`, where it has `bytes` bytes. */
  copyIn(control: Block, address: number, bytes: number, data: Data, box: Box): void {
    const { extent, dtype, isFloat32 } = control;
    if (!isStoredIn16Bits(dtype)) return copyIn(this.#heap(isFloat32), address / bytesOf(control), data, extent, box);
    copyIn(this.#u16, (address + bytes / 2) / 2, data, extent, box);
    this.#convert.widen(control.block[Slot.storage]!, address, bytes / 4);
  }

  /** And back. */
  copyOut(control: Block, address: number, bytes: number, data: Data, box: Box): void {
    const { extent, dtype, isFloat32 } = control;
    if (!isStoredIn16Bits(dtype)) return copyOut(this.#heap(isFloat32), address / bytesOf(control), data, extent, box);
    this.#convert.narrow(control.block[Slot.storage]!, address, bytes / 4);
    copyOut(this.#u16, address / 2, data, extent, box);
  }

  /** Weights of the tile's positions, or of all. */
  putWeights(control: Block, address: number, weights: Data, box?: Box): void {
    const heap = this.#heap(control.isFloat32);
    const at = address / bytesOf(control);
    if (!box) copyInto(heap, weights, at);
    else copyIn(heap, at, weights, { ...control.extent, channels: 1 }, withoutChannels(box));
  }

  #heap(isFloat32: boolean): Data {
    return isFloat32 ? this.#f32 : this.#f64;
  }

  /** Runs a kernel on the control block and the operands at these byte addresses. */
  run(kernel: KernelName, control: Block, pointers: readonly number[]): void {
    this.#kernels[kernel](this.base, bytesOf(control), ...pointers);
  }

  /** Header, and the fields a kernel reads. */
  load({ block, extent }: Block, reads: Span, box: Box): void {
    const header = this.base / 8;
    for (let slot = 0; slot < HEADER; slot++) this.#f64[header + slot] = block[slot]!;
    const { own, ownStride, staged, length, count } = fieldRows(extent, box, reads);
    copyRows(block, own, ownStride, this.#f64, header + staged, length, length, count);
  }

  /** The part of the tensor that the next call is about. Sums of a channel carry on from its tile before. */
  setBox({ extent, first, last }: Box): void {
    const header = this.base / 8;
    this.#f64[header + Slot.outer] = extent.outer;
    this.#f64[header + Slot.channels] = extent.channels;
    this.#f64[header + Slot.inner] = extent.inner;
    this.#f64[header + Slot.part] = (first ? Part.first : 0) | (last ? Part.last : 0);
  }

  /** The fields a kernel wrote. */
  save({ block, extent }: Block, writes: Span, box: Box): void {
    const { own, ownStride, staged, length, count } = fieldRows(extent, box, writes);
    copyRows(this.#f64, this.base / 8 + staged, length, block, own, ownStride, length, count);
  }

  /** The count, which moments with weights write: that of all channels is the same. */
  saveCount({ block }: Block): void {
    block[Slot.count] = this.#f64[this.base / 8 + Slot.count]!;
  }
}
