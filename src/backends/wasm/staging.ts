// Staging: one fixed WASM memory that kernel calls go through, tile by tile. It never grows, so that
// no view is ever detached. [control block][operand][operand]…, laid out anew for every tile.
import { sequentialLength, type Control, type Extent, type Walk } from "../../kernels/control.js";
import type { Kernels } from "../../kernels/kernels.js";
import type { Data, Floats } from "../../base/types.js";
import type { Span } from "./copy.js";
import { ALIGNMENT, Instance, OVERREAD, align, bytesOf } from "./instance.js";
import { boxesOf, type Box, type Room, type Step } from "./tiles.js";

/** The control block and operands are aligned. */
const SLACK = OVERREAD + 5 * ALIGNMENT;
/** One block of the few-columns walk, 2048 rows of 15 float64 columns, three times, and its control block. */
const MIN_PAGES = 14;

/** A kernel call: which arrays go through which slots of the memory. */
export interface Call {
  readonly kernel: keyof Kernels;
  /** The kernel's operands. */
  readonly arrays: readonly (Data | null)[];
  /** What is copied into each slot, and what out of it; a slot with neither takes no room. */
  readonly ins: readonly (Data | null)[];
  readonly outs: readonly (Data | null)[];
  /** The slot of each of the kernel's operands; −1 where absent. */
  readonly operands: readonly number[];
  readonly reads: Span;
  readonly writes: Span;
  /** The kernel's last operand where it is weighted: one for each position, the channels left out. */
  readonly weights?: Floats;
}

type Plan = (extent: Extent, walk: Walk, room: Room) => Step;

/** Whether tiles of this step hold all values of their channels. */
export function holdsChannels({ extent }: Control, step: Step): boolean {
  return step.outer >= extent.outer && step.inner >= extent.inner;
}

export class Staging {
  readonly #instance: Instance;
  readonly #bytes: number;

  constructor(
    module: WebAssembly.Module,
    pages: number,
    readonly tileBytes: number,
  ) {
    if (!(pages >= MIN_PAGES)) throw new RangeError(`"pages" must be at least ${MIN_PAGES}, got ${pages}`);
    this.#instance = new Instance(module, pages);
    this.#bytes = this.#instance.buffer.byteLength - this.#instance.base - SLACK;
  }

  /** The tiles of a call. */
  plan(control: Control, { ins, outs, weights }: Call, plan: Plan): Step {
    let operands = weights ? 1 : 0;
    for (let slot = 0; slot < ins.length; slot++) if (ins[slot] ?? outs[slot]) operands++;
    const room = { bytes: this.#bytes, tileBytes: this.tileBytes, operands, valueBytes: bytesOf(control) };
    return plan(control.extent, control.walk, room);
  }

  run(control: Control, call: Call, step: Step): void {
    for (const box of boxesOf(control.extent, step)) {
      if (box.first) this.#instance.load(control, call.reads, box);
      this.#instance.setBox(control, box);
      this.#runTile(control, call, box);
      if (box.last) this.#instance.save(control, call.writes, box);
    }
    this.#instance.saveCounters(control);
  }

  #runTile(control: Control, { kernel, ins, outs, operands, weights }: Call, box: Box): void {
    const { base } = this.#instance;
    const { outer, channels, inner } = box.extent;
    const operandBytes = align(outer * channels * inner * bytesOf(control));
    const addresses: number[] = [];
    let address = base + align(8 * sequentialLength(box.extent, control.walk));
    for (let slot = 0; slot < ins.length; slot++) {
      const data = ins[slot];
      addresses.push(address);
      if (data) this.#instance.copyIn(control, address, operandBytes, data, box);
      if (data ?? outs[slot]) address += operandBytes;
    }
    const pointers = operands.map((slot) => (slot < 0 ? 0 : addresses[slot]!));
    if (weights) {
      this.#instance.putWeights(control, address, weights, box);
      pointers.push(address);
    }
    this.#instance.run(kernel, control, pointers);
    for (let slot = 0; slot < outs.length; slot++) {
      const data = outs[slot];
      if (data) this.#instance.copyOut(control, addresses[slot]!, operandBytes, data, box);
    }
  }
}
