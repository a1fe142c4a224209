// Where the calls of one extent meet: kernels, and the control block that carries them. Reused while the extent stays.
import { Control, traversalOf, type Extent } from "../kernels/control.js";
import type { LaterKernels } from "../kernels/kernels.js";
import { allocate, type Data, type DType } from "../base/types.js";
import { PositionWeights } from "../values/weights.js";

/** Elements of a call on samples side by side that are worth a second thread. */
const MANY_ELEMENTS = 2 ** 19;
/** Values of a channel of a sample from which a control block of several samples is small beside their elements. */
const MANY_VALUES = 128;
/** Channels up to which a control block is small beside anything. */
const FEW_CHANNELS = 4096;

const sizeOf = ({ outer, channels, inner }: Extent): number => outer * channels * inner;

/** The extent of a call on samples of a tensor. It has as many of them as divide their number, and as a call is worth. */
function extentOfSamples({ outer, channels, inner }: Extent, samples: number): Extent {
  const one = { outer: outer / samples, channels, inner };
  const most = inner >= MANY_VALUES ? Infinity : FEW_CHANNELS;
  let extent = one;
  for (let count = 2; count <= samples && one.outer === 1 && count * channels <= most; count++) {
    if (sizeOf(extent) >= MANY_ELEMENTS) break;
    const several = { ...one, channels: channels * count };
    if (samples % count === 0 && traversalOf(several) === traversalOf(one)) extent = several;
  }
  return extent;
}

export class Workspace {
  readonly positions: PositionWeights;
  #control: Control | null = null;
  #ofSamples: Control | null = null;

  constructor(
    readonly kernels: LaterKernels,
    readonly dtype: DType,
    readonly extent: Extent,
    /** Whether the kernels have been checked with weights. */
    readonly isWeighted: boolean,
    /** Says in the control block how much of the machine a call may use. */
    private readonly tune: (control: Control) => void,
    /** The number of elements that the tensor is a part of. */
    readonly whole = sizeOf(extent),
    /** Makes an array that kernels alone write and read, during one call. */
    readonly scratch: (dtype: DType, length: number) => Data = allocate,
  ) {
    this.positions = new PositionWeights(dtype, extent.outer * extent.inner);
  }

  /** The control block. It is made when it is first asked for, which a tensor without elements never does. */
  get control(): Control {
    return (this.#control ??= this.#makeControl(this.extent));
  }

  /**
   * The control block of some of so many samples of the tensor: of one, or of several whose channels are as many channels
   * side by side, with the bits of each alone.
   */
  controlOfSamples(samples: number): Control {
    const extent = extentOfSamples(this.extent, samples);
    const last = this.#ofSamples?.extent;
    if (last?.outer !== extent.outer || last.channels !== extent.channels) this.#ofSamples = this.#makeControl(extent);
    return this.#ofSamples!;
  }

  #makeControl(extent: Extent): Control {
    const control = new Control(this.dtype, extent);
    this.tune(control);
    // The outputs of a part are written past the cache if those of the whole are.
    control.set("streamFrom", (control.get("streamFrom") * sizeOf(extent)) / this.whole);
    return control;
  }

  /** The number of threads that worked on the newest kernel call. */
  get threadsUsed(): number {
    return Math.max(this.#control?.get("threadsUsed") ?? 1, this.#ofSamples?.get("threadsUsed") ?? 1);
  }
}
