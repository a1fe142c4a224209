// What the team tells its workers.

/** The first message: what a worker is. */
export interface Hire {
  readonly words: Int32Array;
  readonly module: WebAssembly.Module;
  /** Which worker it is. */
  readonly index: number;
  /** After so many milliseconds without a call it ends. */
  readonly patience: number;
}

/** An arena to work in, or one to forget. */
export interface Place {
  readonly arena: number;
  readonly memory: WebAssembly.Memory | null;
  /** Where the worker has its own data in it, and where the shares of a call stand. */
  readonly base: number;
  readonly shares: number;
}

/** Bytes of a share (assembly/common/shares.ts). */
export const SHARE_BYTES = 96;
