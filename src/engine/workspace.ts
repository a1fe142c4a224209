// Where the calls of one extent meet: kernels, and the control block that carries them. Reused while the extent stays.
import { Control, type Extent } from "../kernels/control.js";
import type { LaterKernels } from "../kernels/kernels.js";
import { allocate, type Data, type DType } from "../base/types.js";
import { PositionWeights } from "../values/weights.js";

export class Workspace {
  readonly positions: PositionWeights;
  #control: Control | null = null;
  #ofSample: Control | null = null;

  constructor(
    readonly kernels: LaterKernels,
    readonly dtype: DType,
    readonly extent: Extent,
    /** Whether the kernels have been checked with weights. */
    readonly isWeighted: boolean,
    /** Says in the control block how much of the machine a call may use. */
    private readonly tune: (control: Control) => void,
    /** Makes an array that kernels alone write and read, during one call. */
    readonly scratch: (dtype: DType, length: number) => Data = allocate,
  ) {
    this.positions = new PositionWeights(dtype, extent.outer * extent.inner);
  }

  /** The control block. It is made when it is first asked for, which a tensor without elements never does. */
  get control(): Control {
    return (this.#control ??= this.#makeControl(this.extent));
  }

  /** The control block of one of so many samples of the tensor. */
  controlOfSample(samples: number): Control {
    const outer = this.extent.outer / samples;
    if (this.#ofSample?.extent.outer !== outer) this.#ofSample = this.#makeControl({ ...this.extent, outer });
    return this.#ofSample;
  }

  #makeControl(extent: Extent): Control {
    const control = new Control(this.dtype, extent);
    this.tune(control);
    return control;
  }

  /** The number of threads that worked on the newest kernel call. */
  get threadsUsed(): number {
    return Math.max(this.#control?.get("threadsUsed") ?? 1, this.#ofSample?.get("threadsUsed") ?? 1);
  }
}
