// What a worker that runs whole calls is told, and what it answers.
import type { DType } from "../../../base/types.js";
import type { Call } from "../calls.js";
import type { Block } from "../instance.js";
import type { Portion, Step } from "../tiles.js";

/** The first message. */
export interface Equipment {
  readonly module: WebAssembly.Module;
}

/** An operand: a part of shared memory, or of one of the buffers that come with the call. */
export interface Operand {
  readonly memory: SharedArrayBuffer | number;
  readonly dtype: DType;
  readonly offset: number;
  readonly length: number;
}

/** A kernel call. The buffers are moved to the worker, and back. */
export interface Errand {
  readonly control: Block;
  readonly call: Call<Operand>;
  /** The size of the tiles, and which of them are the worker's. */
  readonly step: Step;
  readonly portion: Portion;
  readonly stop: Int32Array | null;
  readonly buffers: readonly ArrayBuffer[];
}

export interface Answer {
  readonly block: Float64Array;
  readonly buffers: readonly ArrayBuffer[];
  /** Why the kernel failed, or null. */
  readonly fault: string | null;
}
