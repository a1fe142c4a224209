// Staging: one fixed WASM memory that kernel calls go through, tile by tile.
// [control block][operand][operand]…, laid out anew for every tile.
import { stagedLength, type Extent } from "../../kernels/control.js";
import type { Traversal } from "../../kernels/layout.js";
import type { Call } from "./calls.js";
import { ALIGNMENT, Instance, OVERREAD, align, bytesOf, type Block } from "./instance.js";
import type { Box, Room, Step } from "./tiles.js";

/** The control block and operands are aligned. */
const SLACK = OVERREAD + 5 * ALIGNMENT;
/** One block of the few-columns traversal, 2048 rows of 15 float64 columns, three times, and its control block. */
export const MIN_PAGES = 14;

export interface StagingOptions {
  /** Size of the memory in pages of 64 KiB. */
  readonly pages?: number;
  /** Bytes of a tile, all operands together, as far as whole blocks allow: what a core's own cache holds. */
  readonly tileBytes?: number;
}

/**
 * 16 MiB hold three operands of the largest tiles beside the control block of many thousand
 * channels; more would not be faster, because tiles are sized for the cache.
 */
const PAGES = 256;
const TILE_BYTES = 1 << 20;

/** How a tensor is cut into tiles. */
type Tiling = (extent: Extent, traversal: Traversal, room: Room) => Step;

/** Whether tiles of this step hold all values of their channels. */
export function holdsChannels({ extent }: Pick<Block, "extent">, step: Step): boolean {
  return step.outer >= extent.outer && step.inner >= extent.inner;
}

export class Staging {
  readonly #instance: Instance;
  readonly #bytes: number;
  readonly #tileBytes: number;

  constructor(module: WebAssembly.Module, { pages = PAGES, tileBytes = TILE_BYTES }: StagingOptions = {}) {
    if (!(pages >= MIN_PAGES)) throw new RangeError(`"pages" must be at least ${MIN_PAGES}, got ${pages}`);
    this.#instance = new Instance(module, new WebAssembly.Memory({ initial: pages, maximum: pages }));
    this.#tileBytes = tileBytes;
    this.#bytes = this.#instance.buffer.byteLength - this.#instance.base - SLACK;
  }

  /** The bytes that the module has to itself. */
  get ownBytes(): number {
    return this.#instance.ownBytes;
  }

  /** The size of a call's tiles. */
  stepOf(control: Block, { ins, outs, weights }: Call<unknown>, tiling: Tiling): Step {
    let operands = weights ? 1 : 0;
    for (let place = 0; place < ins.length; place++) if (ins[place] ?? outs[place]) operands++;
    const room = { bytes: this.#bytes, tileBytes: this.#tileBytes, operands, valueBytes: bytesOf(control) };
    return tiling(control.extent, control.traversal, room);
  }

  /** Runs a call. It ends early, and its results are of no use, if the element of `stop` is no longer 0. */
  run(control: Block, call: Call, boxes: readonly Box[], stop: Int32Array | null = null): void {
    for (const box of boxes) {
      if (stop && Atomics.load(stop, 0) !== 0) return;
      if (box.first) this.#instance.load(control, call.reads, box);
      this.#instance.setBox(box);
      this.#runTile(control, call, box);
      if (box.last) this.#instance.save(control, call.writes, box);
    }
    this.#instance.saveCount(control);
  }

  #runTile(control: Block, { kernel, ins, outs, places, weights }: Call, box: Box): void {
    const { base } = this.#instance;
    const { outer, channels, inner } = box.extent;
    const operandBytes = align(outer * channels * inner * bytesOf(control));
    const addresses: number[] = [];
    let address = base + align(8 * stagedLength(box.extent, control.traversal));
    for (let place = 0; place < ins.length; place++) {
      const data = ins[place];
      addresses.push(address);
      if (data) this.#instance.copyIn(control, address, operandBytes, data, box);
      if (data ?? outs[place]) address += operandBytes;
    }
    const pointers = places.map((place) => (place < 0 ? 0 : addresses[place]!));
    if (weights) {
      this.#instance.putWeights(control, address, weights, box);
      pointers.push(address);
    }
    this.#instance.run(kernel, control, pointers);
    for (let place = 0; place < outs.length; place++) {
      const data = outs[place];
      if (data) this.#instance.copyOut(control, addresses[place]!, operandBytes, data, box);
    }
  }
}
